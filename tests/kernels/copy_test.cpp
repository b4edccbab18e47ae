// Copy, Full, Arange, Random, Dropout, SliceGrad and Cat on operands of any strides, against plain
// loops over indices.

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "../../core/ops/cat.h"
#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/random.h"
#include "../../core/ops/view.h"
#include "../../core/parallel.h"
#include "../../core/philox.h"
#include "../../kernels/cpu/simd/random.h"
#include "../../kernels/cpu/simd/transpose_copy.h"
#include "kernel_testing.h"
#include "operand.h"

namespace reprise {
namespace {

/// 0, 1, 2, ... cut to a byte's range, so that every dtype holds them.
template <class T>
Operand<T> counting(const Shape& shape, const Shape& order = {}) {
  Operand<T> x(shape, order);
  for (int64_t i = 0; i < x.numel(); ++i) x[i] = static_cast<T>(i % 251);
  return x;
}

template <class T>
void expect_copy(const Operand<T>& x) {
  Operand<T> out(x.meta.shape);
  run_kernel(Copy{dtype_of<T>()}, out, x);
  for (int64_t i = 0; i < x.numel(); ++i) ASSERT_EQ(out[i], x[i]) << "element " << i;
}

template <class T>
class Copies : public ::testing::Test {};
using Types = ::testing::Types<float, double, int64_t, int32_t, uint8_t, bool>;
TYPED_TEST_SUITE(Copies, Types);

TYPED_TEST(Copies, Permuted) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{5}, Shape{1, 1}, Shape{7, 9}, Shape{3, 0, 2},
                             Shape{16, 16}, Shape{33, 65}, Shape{130, 67}, Shape{1, 300}}) {
    expect_copy(counting<TypeParam>(shape));
    if (shape.dim() == 2) expect_copy(counting<TypeParam>(shape, {1, 0}));
  }
  for (const Shape& order : {Shape{0, 1, 2}, Shape{0, 2, 1}, Shape{1, 0, 2}, Shape{1, 2, 0},
                             Shape{2, 0, 1}, Shape{2, 1, 0}}) {
    expect_copy(counting<TypeParam>({3, 1, 5}, order));
    expect_copy(counting<TypeParam>({17, 40, 3}, order));
    expect_copy(counting<TypeParam>({2, 33, 70}, order));
  }
  expect_copy(counting<TypeParam>({2, 3, 2, 3, 2, 3, 2, 2}, {7, 0, 6, 1, 5, 2, 4, 3}));
}

TYPED_TEST(Copies, ExpandedAndStepped) {
  Operand<TypeParam> x = counting<TypeParam>({40, 50});
  x.meta.strides = {0, 1};
  expect_copy(x);
  x.meta.strides = {1, 0};
  expect_copy(x);
  x.meta.strides = {0, 0};
  expect_copy(x);
  x.meta = Meta({20, 25}, {100, 2}, x.meta.dtype);
  expect_copy(x);
  x.meta = Meta({25, 20}, {2, 100}, x.meta.dtype);
  expect_copy(x);
}

TYPED_TEST(Copies, IntoStridedOutput) {
  const Operand<TypeParam> x = counting<TypeParam>({33, 20});
  for (const Shape& order : {Shape{0, 1}, Shape{1, 0}}) {
    Operand<TypeParam> out({33, 20}, order);
    run_kernel(Copy{dtype_of<TypeParam>()}, out, x);
    for (int64_t i = 0; i < x.numel(); ++i) ASSERT_EQ(out[i], x[i]);
  }
}

TYPED_TEST(Copies, ToEveryDtype) {
  for (const Shape& order : {Shape{0, 1}, Shape{1, 0}}) {
    const Operand<TypeParam> x = counting<TypeParam>({70, 31}, order);
    const auto expect = [&]<class To>(To) {
      Operand<To> out(x.meta.shape);
      run_kernel(Copy{dtype_of<To>()}, out, x);
      for (int64_t i = 0; i < x.numel(); ++i) ASSERT_EQ(out[i], static_cast<To>(x[i]));
    };
    expect(float{}), expect(double{}), expect(int64_t{}), expect(int32_t{}), expect(uint8_t{});
    expect(bool{});
  }
}

TEST(CopyKernel, FloatsOutsideOfIntegersAreBounded) {
  const double infinity = std::numeric_limits<double>::infinity();
  Operand<double> x({9});
  x.values = {-1.9, 1.9, 300, -300, 1e30, -1e30, infinity, -infinity, NAN};
  constexpr auto low = std::numeric_limits<int32_t>::min(),
                 high = std::numeric_limits<int32_t>::max();
  Operand<int32_t> ints({9});
  run_kernel(Copy{int32}, ints, x);
  EXPECT_EQ(ints.values, (std::vector<int32_t>{-1, 1, 300, -300, high, low, high, low, 0}));
  Operand<uint8_t> bytes({9});
  run_kernel(Copy{uint8}, bytes, x);
  EXPECT_EQ(bytes.values, (std::vector<uint8_t>{0, 1, 255, 0, 255, 0, 255, 0, 0}));
  Operand<bool> bools({9});
  run_kernel(Copy{bool_}, bools, x);
  EXPECT_EQ(std::count(bools.values.begin(), bools.values.end(), true), 9);
}

TEST(CopyKernel, TransposesOfEveryInstructionSet) {
  for (cpu::Isa isa : cpu::testable_levels()) {
    const auto expect = [&]<class T>(T, cpu::Transpose transpose) {
      const int64_t rows = 37, columns = 21, to_row = 23, from_column = 40;
      std::vector<T> from(from_column * columns), to(rows * to_row, T(-1));
      std::iota(from.begin(), from.end(), T(0));
      transpose(rows, columns, to.data(), to_row * sizeof(T), from.data(), from_column * sizeof(T));
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < to_row; ++c) {
          const T expected = c < columns ? from[c * from_column + r] : T(-1);
          ASSERT_EQ(to[r * to_row + c], expected) << r << ", " << c;
        }
      }
    };
    expect(int32_t{}, cpu::transpose_table(isa).words);
    expect(int64_t{}, cpu::transpose_table(isa).doubles);
  }
}

TEST(FillKernel, ConvertsItsValue) {
  Operand<int32_t> ints({3, 40000});
  run_kernel(Full{ints.meta.shape, 2.75, int32, {}}, ints);
  EXPECT_EQ(std::count(ints.values.begin(), ints.values.end(), 2), ints.numel());
  Operand<bool> bools({5});
  run_kernel(Full{{5}, 0.5, bool_, {}}, bools);
  EXPECT_TRUE(bools[4]);
  Operand<uint8_t> bytes({1});
  run_kernel(Full{{1}, 1e9, uint8, {}}, bytes);
  EXPECT_EQ(bytes[0], 255);
}

TEST(FillKernel, LeavesTheGapsOfAStridedOutput) {
  Operand<double> x({8, 10});
  x.meta = Meta({4, 10}, {20, 1}, float64);
  run_kernel(Full{{4, 10}, 3, float64, {}}, x);
  for (size_t i = 0; i < 80; ++i) EXPECT_EQ(x.values[i], i / 10 % 2 == 0 ? 3 : 0);
}

TEST(FillKernel, Arange) {
  Operand<int64_t> ints({4});
  run_kernel(Arange{7, -3, 4, int64, {}}, ints);
  EXPECT_EQ(ints.values, (std::vector<int64_t>{7, 4, 1, -2}));
  Operand<float> floats({70000});
  run_kernel(Arange{0.5, 0.25, 70000, float32, {}}, floats);
  EXPECT_EQ(floats[69999], 0.5f + 0.25f * 69999);
}

Operand<int64_t> blocks(uint64_t seed, uint64_t first) {
  Operand<int64_t> out({2});
  out.values = {static_cast<int64_t>(seed), static_cast<int64_t>(first)};
  return out;
}

template <class T>
void expect_stream(int64_t n) {
  const uint64_t seed = ~uint64_t{12345}, offset = 7;  // no int64 holds that seed
  Operand<T> uniforms({n}), normals({n});
  run_kernel(Random{{n}, dtype_of<T>(), false, -1, 3}, uniforms, blocks(seed, offset));
  run_kernel(Random{{n}, dtype_of<T>(), true, 5, 2}, normals, blocks(seed, offset));
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<uint64_t>(i);
    ASSERT_EQ(uniforms[i], uniform_at<T>(seed, offset, at) * T(4) + T(-1)) << i;
    ASSERT_EQ(normals[i], normal_at<T>(seed, offset, at) * T(2) + T(5)) << i;
  }
}
TEST(RandomKernel, FollowsTheStream) {
  for (int64_t n : {0, 1, 3, 4, 5, 70001}) expect_stream<float>(n), expect_stream<double>(n);
}

TEST(RandomKernel, WordsOfEveryInstructionSet) {
  const uint64_t seed = 0x123456789abcdef, first = 0xfffffffe;  // blocks across 2^32
  for (cpu::Isa isa : cpu::testable_levels()) {
    for (int64_t blocks : {0, 1, 7, 8, 21}) {
      std::vector<uint32_t> words(static_cast<size_t>(4 * blocks + 1), 77);
      cpu::random_table(isa).words(seed, first, blocks, words.data());
      for (size_t i = 0; i + 1 < words.size(); ++i) {
        ASSERT_EQ(words[i], random_block(seed, first + i / 4).word[i % 4]) << i;
      }
      ASSERT_EQ(words.back(), 77);
    }
  }
}

TEST(RandomKernel, StaysBelowTheBoundAndFillsStrides) {
  Operand<float> x({100000});
  run_kernel(Random{{100000}, float32, false, 1, std::nextafter(1.0F, 2.0F)}, x, blocks(1, 0));
  EXPECT_EQ(*std::max_element(x.values.begin(), x.values.end()), 1);
  Operand<double> dense({30, 41}), transposed({30, 41}, {1, 0});
  run_kernel(Random{{30, 41}, float64, true, 0, 1}, dense, blocks(3, 0));
  run_kernel(Random{{30, 41}, float64, true, 0, 1}, transposed, blocks(3, 0));
  for (int64_t i = 0; i < dense.numel(); ++i) ASSERT_EQ(dense[i], transposed[i]);
}

template <class T>
void expect_dropout(const Operand<T>& x, double p) {
  Operand<T> out(x.meta.shape);
  run_kernel(Dropout{p}, out, x, blocks(9, 2));
  for (int64_t i = 0; i < x.numel(); ++i) {
    const bool kept = uniform_at<float>(9, 2, static_cast<uint64_t>(i)) >= static_cast<float>(p);
    ASSERT_EQ(out[i], kept ? x[i] * static_cast<T>(1 / (1 - p)) : T(0)) << i;
  }
}
TEST(DropoutKernel, DropsByIndexInEveryLayout) {
  for (double p : {0.0, 0.3, 1.0}) {
    for (const Shape& order : {Shape{0, 1, 2}, Shape{2, 1, 0}, Shape{0, 2, 1}}) {
      expect_dropout(counting<float>({5, 70, 131}, order), p);
      expect_dropout(counting<double>({5, 7, 131}, order), p);
    }
  }
}

TEST(ViewKernels, SliceGradIsTheOppositeOfSlice) {
  for (const Shape& order : {Shape{0, 1, 2}, Shape{2, 1, 0}}) {
    const Operand<float> gy = counting<float>({4, 3, 20}, order);
    Operand<float> out({4, 10, 20});
    std::fill(out.values.begin(), out.values.end(), -1);
    run_kernel(SliceGrad{{1, 2, 3, 3}, 10}, out, gy);
    for (int64_t i = 0; i < out.numel(); ++i) {
      const int64_t plane = i / 200, row = i / 20 % 10, column = i % 20, k = (row - 2) / 3;
      const bool inside = row >= 2 && (row - 2) % 3 == 0 && k < 3;
      ASSERT_EQ(out[i], inside ? gy[plane * 60 + k * 20 + column] : 0) << i;
    }
  }
}

TEST(ViewKernels, CatInEveryDimension) {
  for (int dim = 0; dim < 3; ++dim) {
    Shape a{3, 4, 5}, b{3, 4, 5}, none{3, 4, 5}, all{3, 4, 5};
    const auto d = static_cast<size_t>(dim);
    b[d] = 7, none[d] = 0, all[d] = a[d] + 7;
    const Operand<int32_t> x = counting<int32_t>(a), y = counting<int32_t>(b, {2, 0, 1});
    const Operand<int32_t> empty(none);
    Operand<int32_t> out(all);
    run_kernel(Cat{dim}, out, x, empty, y);
    for (int64_t i = 0, in_x = 0, in_y = 0; i < out.numel(); ++i) {
      const int64_t inner = d == 2 ? 1 : d == 1 ? 5 : 20;
      const bool first = i / inner % all[d] < a[d];
      ASSERT_EQ(out[i], first ? x[in_x++] : y[in_y++]) << i;
    }
  }
}

TEST(CopyKernel, IsTheSameForAnyNumberOfThreads) {
  const Operand<float> x = counting<float>({300, 411}, {1, 0});
  const int before = num_threads();
  set_num_threads(1);
  Operand<float> one({300, 411}), dropped_one({300, 411});
  run_kernel(Copy{float32}, one, x);
  run_kernel(Dropout{0.5}, dropped_one, x, blocks(1, 0));
  set_num_threads(3);
  Operand<float> three({300, 411}), dropped_three({300, 411});
  run_kernel(Copy{float32}, three, x);
  run_kernel(Dropout{0.5}, dropped_three, x, blocks(1, 0));
  set_num_threads(before);
  EXPECT_EQ(one.values, three.values);
  EXPECT_EQ(dropped_one.values, dropped_three.values);
}

}  // namespace
}  // namespace reprise
