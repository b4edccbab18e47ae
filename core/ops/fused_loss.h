#pragma once
// The gradient of the log probability of one class each. Made by graph passes, after
// differentiation: it has no gradient.

#include "../op.h"

namespace reprise {

/// (y, index int64, g) -> the gradient with respect to x of sum(g * gather(log_softmax(x), dim,
/// index)), where y = log_softmax(x) along `dim` and index has y's shape but size 1 in `dim`, as g
/// has: g at the places of index, less exp(y) * g. Index error for an index outside of [0, size)
/// on the CPU; on a CUDA device nothing is picked by one.
struct LogSoftmaxGatherGrad {
  int dim;
  static constexpr std::string_view name = "log_softmax_gather_grad";
  static constexpr bool half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("dim", dim)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
