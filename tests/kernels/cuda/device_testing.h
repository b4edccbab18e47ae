#pragma once
// What the tests of device kernels share: operands, and an op on the device against the CPU on
// equal inputs. Elementwise kernels, which have the bits of the CPU, are given special values in
// many layouts; others are compared within a tolerance.

#include "../../../autograd/tape.h"
#include "../../../core/dispatch.h"
#include "../../core/on_device.h"
#include "../op_testing.h"

namespace reprise::op_testing {

using OnDevice = test::OnDevice<>;

// ---- the bits of the CPU ----------------------------------------------------------------------

/// A small, large or special value of a dtype.
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

inline Tensor any_values(const Shape& shape, DType dtype, uint64_t seed) {
  Tensor x = empty(shape, {.dtype = dtype});
  std::mt19937_64 random(seed);
  visit_dtype(dtype, [&]<class T>() {
    for (int64_t i = 0; i < x.numel(); ++i) x.data<T>()[i] = any_value<T>(random());
  });
  return x;
}

/// A dense tensor, on any device, as a part of something larger, or in another order, or repeated.
struct LayoutCase {
  std::string_view name;
  Tensor (*of)(const Tensor& x);
};
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
void expect_op_alike(const T& op, const Tensors& in, const std::vector<size_t>& layouts,
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

// ---- within a tolerance -----------------------------------------------------------------------

/// Outputs of `op` on the device equal those on the CPU, floats within tolerance * (1 + |value|),
/// integers exactly, and come with the same bits again.
template <class T>
void expect_op_on_device(const T& op, const Tensors& in, double tolerance) {
  const NoGradGuard no_grad;
  Tensors there;
  for (const Tensor& x : in) there.push_back(x.cuda());
  const Tensors expected = dispatch(Model(op), in);
  const Tensors got = dispatch(Model(op), there), again = dispatch(Model(op), there);
  for (size_t k = 0; k < expected.size(); ++k) {
    SCOPED_TRACE(testing::Message() << "output " << k << " of " << Model(op).text());
    const Tensor y = got[k].cpu();
    ASSERT_EQ(y.dtype(), expected[k].dtype());
    expect_close(y, array_of(expected[k]), is_floating_point(y.dtype()) ? tolerance : 0);
    expect_same_bits(y, again[k].cpu());
  }
}

/// `got` is `exact`, rounded once if it is of 16 bits, within tolerance * (1 + |value|) besides.
inline void expect_rounded(const Tensor& got, const Tensor& exact, double tolerance) {
  const double rounding = got.dtype() == float16 ? 0x1p-11 : got.dtype() == bfloat16 ? 0x1p-8 : 0;
  const double least = rounding == 0 ? 0 : 0x1p-25;  // half of the smallest float16
  ASSERT_EQ(got.shape(), exact.shape());
  const Array values = array_of(got), wanted = array_of(exact);
  for (size_t i = 0; i < values.values.size(); ++i) {
    const double a = values.values[i], b = wanted.values[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), rounding * std::abs(b) + tolerance * (1 + std::abs(b)) + least)
        << "got " << a << ", expected " << b << " at " << i;
  }
}

inline Tensors float_operands(const Tensors& in, DType from, DType to) {
  Tensors out;
  for (const Tensor& x : in) out.push_back(x.dtype() == from ? x.to(to) : x);
  return out;
}

/// `op` on the device in float16 and bfloat16 gives what it gives in float32 on the CPU, rounded
/// once, and the same bits again. `in`: float32, or integers.
template <class T>
void expect_op_in_16_bits(const T& op, const Tensors& in, double tolerance) {
  const NoGradGuard no_grad;
  for (const DType dtype : {float16, bfloat16}) {
    SCOPED_TRACE(testing::Message() << Model(op).text() << " in " << to_string(dtype));
    const Tensors narrow = float_operands(in, float32, dtype);
    Tensors there;
    for (const Tensor& x : narrow) there.push_back(x.cuda());
    const Tensors got = dispatch(Model(op), there), again = dispatch(Model(op), there);
    const Tensors exact = dispatch(Model(op), float_operands(narrow, dtype, float32));
    for (size_t k = 0; k < got.size(); ++k) {
      expect_rounded(got[k].cpu(), exact[k], is_floating_point(exact[k].dtype()) ? tolerance : 0);
      expect_same_bits(got[k].cpu(), again[k].cpu());
    }
  }
}

}  // namespace reprise::op_testing
