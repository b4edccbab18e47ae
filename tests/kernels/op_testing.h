#pragma once
// What the tests of kernels share: inputs in many layouts, comparison with plain arrays, and runs
// on every instruction set and with several numbers of threads.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "../../core/ops.h"
#include "../../core/parallel.h"
#include "../../kernels/cpu/simd/isa.h"
#include "../core/same_bits.h"
#include "../op_rows/array.h"

namespace reprise::op_testing {

using op_rows::Array;
using op_rows::for_each_index;

/// Values in [-2, 2] that float32 holds exactly.
inline Tensor sample(const Shape& shape, DType dtype = float32, uint64_t seed = 1) {
  Tensor x = empty(shape, {.dtype = float64});
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.data<double>()[i] = static_cast<double>(random() % 4097) / 1024 - 2;
  }
  return x.to(dtype);
}

/// Row-major values of a tensor of any layout, read one by one through its strides.
inline Array array_of(const Tensor& x) {
  Array out(x.shape());
  const auto at = [&](const Shape& index) {
    int64_t offset = 0;
    for (size_t d = 0; d < index.size(); ++d) offset += index[d] * x.strides()[d];
    return offset;
  };
  visit_any_dtype(x.dtype(), [&]<class T>() {
    const auto* data = static_cast<const T*>(x.numel() == 0 ? nullptr : x.raw_data());
    for_each_index(x.shape(),
                   [&](const Shape& i) { out.at(i) = static_cast<double>(data[at(i)]); });
  });
  return out;
}

/// x dense, transposed, sliced and expanded: what a kernel must take.
inline std::vector<Tensor> layouts(const Tensor& x) {
  std::vector<Tensor> out{x};
  if (x.dim() >= 1) {
    out.push_back(slice(x, -1, 1, x.size(-1), 2));
    out.push_back(expand(slice(x, 0, 0, 1), x.shape()));
  }
  if (x.dim() >= 2) {
    out.push_back(transpose(x, 0, -1));
    out.push_back(transpose(x, -1, -2));
    out.push_back(slice(slice(transpose(x, 0, 1), 0, 1), 1, 1));
  }
  return out;
}

/// |got - expected| <= tolerance (1 + |expected|); NaN equals NaN.
inline void expect_close(const Tensor& got, const Array& expected, double tolerance) {
  ASSERT_EQ(got.shape(), expected.shape);
  ASSERT_TRUE(got.is_contiguous());
  const Array values = array_of(got);
  for (size_t i = 0; i < values.values.size(); ++i) {
    const double a = values.values[i], b = expected.values[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), tolerance * (1 + std::abs(b)))
        << "got " << a << ", expected " << b << " at " << i;
  }
}

inline void expect_same_bits(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.dtype(), b.dtype());
  EXPECT_TRUE(test::same_bits(a, b));
}

/// Runs `test` on every instruction set of this machine.
inline void on_every_isa(const std::function<void()>& test) {
  const cpu::Isa before = cpu::isa();
  for (const cpu::Isa level : {cpu::Isa::sse2, cpu::Isa::avx2, cpu::Isa::avx512}) {
    if (level > cpu::machine_isa()) continue;
    SCOPED_TRACE(testing::Message() << "instruction set " << static_cast<int>(level));
    cpu::set_isa(level);
    test();
  }
  cpu::set_isa(before);
}

/// The results of `f` must have the same bits for any number of threads.
inline void expect_same_on_threads(const std::function<Tensors()>& f) {
  const int before = num_threads();
  set_num_threads(1);
  const Tensors one = f();
  for (const int threads : {2, 3}) {
    set_num_threads(threads);
    const Tensors many = f();
    for (size_t i = 0; i < one.size(); ++i) expect_same_bits(one[i], many[i]);
  }
  set_num_threads(before);
}

}  // namespace reprise::op_testing
