#pragma once
// The log probability of one class each, and its gradient: neither keeps log_softmax, which is as
// large as the logits.

#include "../op.h"

namespace reprise {

/// (x, index int64) -> (gather(log_softmax(x), dim, index), most, log_sum): along `dim`,
/// log_softmax is (x - most) - log_sum for the largest value and the logarithm of sum(exp(x -
/// most)). index has x's shape but size 1 in `dim`, as the results have; the last two are float32
/// for x of 16 bits. An index outside of [0, size) is an Index error, that of cross_entropy.
struct LogSoftmaxGather {
  int dim;
  static constexpr std::string_view name = "log_softmax_gather";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_in = 0b11, save_out = 0b110;
  auto tie() const { return std::tuple(Attr("dim", dim)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (y, index int64, g) -> the gradient with respect to x of sum(g * gather(log_softmax(x), dim,
/// index)), where y = log_softmax(x) along `dim` and index has y's shape but size 1 in `dim`, as g
/// has: g at the places of index, less exp(y) * g. With (x, index, g, most, log_sum) y is computed
/// from x, as LogSoftmaxGather left it. Graph passes make the former, after differentiation. The
/// same Index error; a CUDA device picks nothing by such an index.
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
