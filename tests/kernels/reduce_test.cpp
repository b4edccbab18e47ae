// Sum and MaxDim against plain loops.

#include "op_testing.h"

namespace reprise::op_testing {
namespace {

constexpr std::array<DType, 6> kAllTypes{float32, float64, int64, int32, uint8, bool_};

Array plain_sum(const Array& x, const Shape& dims) {
  Shape shape = x.shape;
  for (const int64_t d : dims) shape[static_cast<size_t>(d)] = 1;
  Array out(shape);
  for_each_index(x.shape, [&](Shape i) {
    const double value = x.at(i);
    for (const int64_t d : dims) i[static_cast<size_t>(d)] = 0;
    out.at(i) += value;
  });
  return out;
}

/// Values and indices.
std::pair<Array, Array> plain_extreme(const Array& x, size_t dim, bool largest) {
  Shape shape = x.shape;
  shape[dim] = 1;
  Array best(shape), where(shape, -1);
  for_each_index(x.shape, [&](const Shape& i) {
    Shape to = i;
    to[dim] = 0;
    const double v = x.at(i), b = best.at(to);
    const bool better = largest ? v > b : v < b;
    if (where.at(to) >= 0 && !better && !(std::isnan(v) && !std::isnan(b))) return;
    best.at(to) = v;
    where.at(to) = static_cast<double>(i[dim]);
  });
  return {best, where};
}

/// All sets of dimensions of a tensor, as bits of a number.
Shape dims_of(unsigned bits, int rank) {
  Shape dims;
  for (int d = 0; d < rank; ++d) {
    if (bits >> d & 1) dims.push_back(d);
  }
  return dims;
}

void check_all_sums(const Tensor& x, double tolerance) {
  const Array values = array_of(x);
  for (unsigned bits = 1; bits < 1U << x.dim(); ++bits) {
    const Shape dims = dims_of(bits, x.dim());
    SCOPED_TRACE(text("sum of ", x.shape(), " strides ", x.strides(), " over ", dims));
    expect_close(sum(x, dims, true), plain_sum(values, dims), tolerance);
  }
}

TEST(Reduce, SumsAnyLayoutOverAnyDims) {
  on_every_isa([] {
    for (const Shape& shape : {Shape{5}, {4, 6}, {3, 40}, {40, 3}, {3, 9, 34}, {2, 3, 5, 7}}) {
      for (const Tensor& x : layouts(sample(shape))) check_all_sums(x, 1e-6);
    }
  });
}

TEST(Reduce, SumsEverySmallShape) {
  on_every_isa([] {
    for (int64_t i = 0; i < 6 * 6 * 10; ++i) {
      const Tensor x = sample({i % 6, i / 6 % 6, i / 36});
      check_all_sums(x, 1e-6);
      check_all_sums(transpose(x, 0, 2), 1e-6);
    }
    for (const Shape& shape :
         {Shape{31, 33}, {32, 32}, {1, 1024}, {1024, 1}, {2, 512}, {1, 1025}}) {
      check_all_sums(sample(shape, float64), 1e-12);
    }
  });
}

TEST(Reduce, SumsEveryType) {
  on_every_isa([] {
    for (const DType dtype : kAllTypes) {
      const Tensor x = abs(sample({6, 70}) * 50).to(dtype);
      check_all_sums(x, 1e-6);
      check_all_sums(x.t(), 1e-6);
      check_all_sums(x.slice(0, 0, 3).slice(1, 0, 5).contiguous(), 1e-6);
      EXPECT_EQ(sum(x).dtype(), is_floating_point(dtype) ? dtype : int64);
    }
  });
}

TEST(Reduce, SumsLongAndWideInputs) {
  for (const Shape& shape : {Shape{300000}, {100000, 3}, {3, 100000}, {700, 600}, {4, 50, 900}}) {
    check_all_sums(sample(shape), 1e-6);
    check_all_sums(sample(shape, float64), 1e-12);
  }
}

TEST(Reduce, SumOfNothingIsZero) {
  expect_close(sum(empty({0, 3}), 0), Array({3}), 0);
  expect_close(sum(empty({3, 0}), 0), Array({0}), 0);
  expect_close(sum(empty({0})), Array(Shape{}), 0);
  expect_close(sum(full({}, 3)), Array(Shape{}, 3), 0);
}

TEST(Reduce, LongFloatSumsStayAccurate) {
  constexpr int64_t kCount = 10'000'000;
  const double single = static_cast<double>(0.1F) * kCount;
  on_every_isa([&] {
    const Tensor x = full({kCount}, 0.1);
    EXPECT_NEAR(sum(x).item<double>() / single, 1, 1e-7);
    const Tensor columns = sum(reshape(x, {-1, 10}), 0);
    EXPECT_NEAR(columns[7].item<double>() * 10 / single, 1, 1e-7);
    EXPECT_NEAR(sum(full({kCount}, 0.1, {.dtype = float64})).item<double>() / 1e6, 1, 1e-12);
  });
}

TEST(Reduce, SumsHaveTheSameBitsOnAllThreadsAndInstructionSets) {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = sample({64, 1000, 31}, dtype);
    const auto all = [&] {
      return Tensors{sum(x), sum(x, 0), sum(x, 1), sum(x, 2), sum(x, {0, 2}), sum(x, {1, 2})};
    };
    expect_same_on_threads(all);
    const Tensors expected = all();
    on_every_isa([&] {
      const Tensors got = all();
      for (size_t i = 0; i < got.size(); ++i) expect_same_bits(got[i], expected[i]);
    });
  }
}

void check_extremes(const Tensor& x) {
  const Array values = array_of(x);
  for (int64_t d = 0; d < x.dim(); ++d) {
    SCOPED_TRACE(text("max of ", x.shape(), " strides ", x.strides(), " over ", d));
    const auto [large, large_at] = plain_extreme(values, static_cast<size_t>(d), true);
    const auto [small, small_at] = plain_extreme(values, static_cast<size_t>(d), false);
    const ValuesIndices most = max(x, d, true), least = min(x, d, true);
    expect_close(most.values, large, 0);
    expect_close(most.indices, large_at, 0);
    expect_close(least.values, small, 0);
    expect_close(least.indices, small_at, 0);
  }
}

TEST(Reduce, FindsTheFirstExtremeInAnyLayout) {
  on_every_isa([] {
    for (const DType dtype : kAllTypes) {  // whole numbers: many are equal
      for (const Shape& shape : {Shape{5}, {6, 40}, {3, 9, 34}, {2, 3000}, {3000, 2}}) {
        const Tensor x = abs(sample(shape) * 3).to(int32).to(dtype);
        for (const Tensor& view : layouts(x)) check_extremes(view);
      }
    }
  });
}

TEST(Reduce, NanIsTheExtreme) {
  on_every_isa([] {
    for (const DType dtype : {float32, float64}) {
      Tensor x = sample({8, 1200, 3}, dtype);
      const double nan = std::nan("");
      for (const int64_t at : {0, 37, 38, 1000, 1199}) x[at % 8][at].fill_(nan);
      check_extremes(x);
      check_extremes(transpose(x, 0, 2));
      check_extremes(full({3, 70}, nan, {.dtype = dtype}));
    }
  });
}

TEST(Reduce, ExtremesOfInfinities) {
  const double inf = std::numeric_limits<double>::infinity();
  check_extremes(full({4, 50}, -inf));
  check_extremes(full({4, 50}, inf));
}

}  // namespace
}  // namespace reprise::op_testing
