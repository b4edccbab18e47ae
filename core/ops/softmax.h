#pragma once
// Softmax over one dimension, shifted by its largest value so that nothing overflows.

#include "../op.h"

namespace reprise {

struct Softmax {
  int dim;
  static constexpr std::string_view name = "softmax";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_out = 0b1;
  auto tie() const { return std::tuple(Attr("dim", dim)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

struct LogSoftmax {
  int dim;
  static constexpr std::string_view name = "log_softmax";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_out = 0b1;
  auto tie() const { return std::tuple(Attr("dim", dim)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (y, gy) -> the gradient with respect to x, where y is the softmax of x along `dim`, or with
/// `log` its logarithm; all of them dense, row-major. For plain backward: it has no gradient.
struct SoftmaxGrad {
  int dim;
  bool log = false;
  static constexpr std::string_view name = "softmax_grad";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned overwrites = 0b11;
  auto tie() const { return std::tuple(Attr("dim", dim), Attr("log", log)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
