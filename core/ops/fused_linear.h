#pragma once
// A linear layer with its activation in one pass. Made by graph passes, after differentiation: it
// has no gradient.

#include "activation.h"
#include "matmul.h"

namespace reprise {

/// (x [N, in], weight [out, in], bias [out]) -> activation(linear(x, weight, bias)), [N, out]. The
/// same bits as the single ops.
struct FusedLinear {
  Activation activation = Activation::none;
  static constexpr std::string_view name = "fused_linear";
  static constexpr bool half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("activation", activation)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
