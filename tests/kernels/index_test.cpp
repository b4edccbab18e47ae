// Gather and GatherGrad against plain loops.

#include "../../core/ops/index.h"
#include "../../core/dispatch.h"
#include "op_testing.h"

namespace reprise::op_testing {
namespace {

Tensor sample_index(const Shape& shape, int64_t size, uint64_t seed = 7) {
  Tensor index = empty(shape, {.dtype = int64});
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < index.numel(); ++i) {
    index.data<int64_t>()[i] = static_cast<int64_t>(random() % static_cast<uint64_t>(size));
  }
  return index;
}

void check_gather(const Tensor& x, int dim, const Tensor& index) {
  SCOPED_TRACE(text("x ", x.shape(), " index ", index.shape(), " dim ", dim));
  const Array values = array_of(x), places = array_of(index);
  const auto source = [&](Shape i) {
    i[static_cast<size_t>(dim)] = static_cast<int64_t>(places.at(i));
    return i;
  };
  Array expected(index.shape());
  for_each_index(index.shape(), [&](const Shape& i) { expected.at(i) = values.at(source(i)); });
  expect_close(gather(x, dim, index), expected, 0);

  const Tensor whole = sample(index.shape(), float64, 3);
  for (const Tensor& src : {whole, transpose(transpose(whole, 0, -1).contiguous(), 0, -1)}) {
    Array sums(x.shape());
    const Array terms = array_of(src);
    for_each_index(index.shape(), [&](const Shape& i) { sums.at(source(i)) += terms.at(i); });
    expect_close(apply(GatherGrad{dim, x.shape()}, src, index), sums, 1e-12);
  }
}

TEST(Index, GathersAlongAnyDim) {
  for (const DType dtype : {float32, float64, int64, int32, uint8, bool_}) {
    for (const Tensor& x : layouts(abs(sample({5, 9, 70}) * 60).to(dtype))) {
      for (int d = 0; d < 3; ++d) {
        Shape shape{x.size(0), x.size(1) - 1, x.size(2)};
        shape[static_cast<size_t>(d)] = 11;
        const Tensor index = sample_index(shape, x.size(d));
        check_gather(x, d, index);
        check_gather(x, d, slice(index, d, 0, 11, 3));
        check_gather(x, d, expand(slice(index, 0, 0, 1), shape));
      }
    }
  }
}

TEST(Index, GathersLongLines) {
  check_gather(sample({40000}), 0, sample_index({50000}, 40000));
  check_gather(sample({300, 130}), 0, sample_index({1000, 130}, 300));
  check_gather(sample({300, 10}), 1, sample_index({300, 1}, 10));
}

TEST(Index, EmptyAndScalar) {
  EXPECT_EQ(gather(sample({3, 4}), 1, empty({3, 0}, {.dtype = int64})).shape(), Shape({3, 0}));
  EXPECT_EQ(gather(empty({3, 0}), 1, empty({3, 0}, {.dtype = int64})).shape(), Shape({3, 0}));
  EXPECT_EQ(gather(full({}, 5.0), 0, full({}, 0)).item<double>(), 5);
  expect_close(apply(GatherGrad{1, {2, 3}}, empty({2, 0}), empty({2, 0}, {.dtype = int64})),
               Array({2, 3}), 0);
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Index);
    return error.what();
  }
  return "";
}

TEST(Index, NamesTheFirstIndexOutOfRange) {
  Tensor index = sample_index({300, 200}, 10);
  index[250][3].fill_(10);
  index[299][0].fill_(-7);
  const std::string expected =
      "expected indices in [0, 10) along dim 1, got 10 at position [250, 3]";
  expect_same_on_threads([&] {
    EXPECT_EQ(error_of([&] { gather(sample({300, 10}), 1, index); }), "gather: " + expected);
    const Tensor src = sample({300, 200});
    EXPECT_EQ(error_of([&] {
                apply(GatherGrad{1, {300, 10}}, src, index);
              }),
              "gather_grad: " + expected);
    return Tensors{};
  });
  EXPECT_NE(error_of([] { gather(empty({3, 0}), 1, full({3, 1}, 0)); }), "");
}

TEST(Index, SumsHaveTheSameBitsOnAllThreads) {
  const Tensor src = sample({2000, 100}), index = sample_index({2000, 100}, 30);
  expect_same_on_threads([&] {
    return Tensors{apply(GatherGrad{0, {30, 100}}, src, index),
                   apply(GatherGrad{1, {2000, 30}}, src, index)};
  });
}

}  // namespace
}  // namespace reprise::op_testing
