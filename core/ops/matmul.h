#pragma once
// Matrix products.

#include "../op.h"

namespace reprise {

/// [M, K] x [K, N] -> [M, N], or a batch of them: [B, M, K] x [B, K, N] -> [B, M, N]. Any strides,
/// so that transposes and broadcasts need no copy.
struct MatMul {
  static constexpr std::string_view name = "matmul";
  static constexpr unsigned save_in = 0b11;
  static constexpr bool half_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// x [N, in] * weight [out, in]^T (+ bias [out]) -> [N, out].
struct Linear {
  static constexpr std::string_view name = "linear";
  static constexpr unsigned save_in = 0b011;
  static constexpr bool half_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (gy [N, out], x [N, in]) -> what Linear's weight and bias get: gy^T x [out, in], and the sum of
/// gy over N [out], which a library makes while it reads gy for the product.
struct LinearWeightGrad {
  static constexpr std::string_view name = "linear_weight_grad";
  static constexpr unsigned save_in = 0b11;
  static constexpr bool half_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
