#pragma once
// What the tests of elementwise kernels on the first CUDA device, or the emulated one, share:
// operands in many layouts, and results that have the bits of the CPU.

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../../core/expect.h"

namespace reprise::on_both {

/// Small, large and special values of a dtype.
template <class T>
T any_value(uint64_t bits) {
  if constexpr (std::is_same_v<T, bool>) {
    return bits >> 20 & 1;
  } else if constexpr (std::is_floating_point_v<T>) {
    constexpr T inf = std::numeric_limits<T>::infinity();
    constexpr T special[] = {0,        T(-0.0),         1,       -1,    inf,  -inf,    T(NAN),
                             T(1e-40), T(3e9),          T(-3e9), T(-7), T(7), T(1e20), T(255.5),
                             T(256),   T(-2147483648.0)};
    return bits % 8 == 0 ? special[bits / 8 % 16] : static_cast<T>(bits >> 40) / T(1 << 21) - 4;
  } else {
    constexpr T special[] = {0, 1, T(-1), std::numeric_limits<T>::min(),
                             std::numeric_limits<T>::max()};
    return bits % 4 == 0 ? special[bits / 4 % 5] : static_cast<T>(bits >> (bits % 2 ? 8 : 60));
  }
}

inline Tensor sample(const Shape& shape, DType dtype, uint64_t seed) {
  Tensor x = empty(shape, {.dtype = dtype});
  std::mt19937_64 random(seed);
  visit_dtype(dtype, [&]<class T>() {
    for (int64_t i = 0; i < x.numel(); ++i) x.data<T>()[i] = any_value<T>(random());
  });
  return x;
}

/// A view of `shape` of a tensor that `make` makes.
struct LayoutCase {
  std::string_view name;
  Tensor (*of)(const Tensor& x);  ///< of a dense tensor of the shape, on any device
};

/// `x` as a part of something larger, or in another order, or repeated.
inline const std::vector<LayoutCase> kLayouts{
    {"dense", [](const Tensor& x) { return x; }},
    {"not aligned",
     [](const Tensor& x) {
       const Tensor all = cat({x.reshape({-1}).slice(0, 0, 1), x.reshape({-1})}, 0);
       return all.slice(0, 1).reshape(x.shape());
     }},
    {"transposed",
     [](const Tensor& x) { return x.transpose(0, -1).contiguous().transpose(0, -1); }},
    {"every second",
     [](const Tensor& x) {
       return stack({x, x}, -1).select(-1, 1);
     }},
    {"rows of a wider one",
     [](const Tensor& x) {
       return cat({x, x.slice(-1, 0, 4)}, -1).slice(-1, 0, x.size(-1));
     }},
    {"one row", [](const Tensor& x) { return x.slice(0, 0, 1).expand(x.shape()); }},
    {"one column", [](const Tensor& x) { return x.slice(-1, 0, 1).expand(x.shape()); }}};

/// The same bits, or NaN in both; `ulps` in units of the last place.
template <class T>
bool alike(T a, T b, double ulps) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a || b != b) return a != a && b != b;
    const double least = std::numeric_limits<T>::denorm_min();
    const double place = std::max(std::abs(double{b}) * std::numeric_limits<T>::epsilon(), least);
    if (ulps > 0 && std::isfinite(a) && std::isfinite(b))
      return std::abs(double{a} - b) <= ulps * place;
  }
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

inline void expect_alike(const Tensor& there, const Tensor& expected, double ulps = 0) {
  ASSERT_EQ(there.device().kind, Device::Kind::cuda);
  ASSERT_EQ(there.dtype(), expected.dtype());
  ASSERT_EQ(to_string(there.shape()), to_string(expected.shape()));
  const Tensor got = there.cpu().contiguous(), wanted = expected.contiguous();
  visit_dtype(got.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < got.numel(); ++i) {
      const T a = got.data<T>()[i], b = wanted.data<T>()[i];
      ASSERT_TRUE(alike(a, b, ulps)) << "element " << i << ": " << +a << " for " << +b;
    }
  });
}

/// `op` on operands in the given layouts, on the device and on the CPU.
template <Op T>
void expect_same(const T& op, const Tensors& in, const std::vector<size_t>& layouts,
                 double ulps = 0) {
  SCOPED_TRACE(testing::Message() << Model(op).text() << " of " << to_string(in[0].shape()) << ' '
                                  << to_string(in.back().dtype()));
  Tensors here, there;
  for (size_t k = 0; k < in.size(); ++k) {
    const LayoutCase& layout = kLayouts[layouts[k]];
    SCOPED_TRACE(layout.name);
    here.push_back(layout.of(in[k]));
    there.push_back(layout.of(in[k].cuda()));
  }
  expect_alike(dispatch(Model(op), there)[0], dispatch(Model(op), here)[0], ulps);
}

class OnBoth : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

}  // namespace reprise::on_both
