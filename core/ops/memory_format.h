#pragma once
// Tensors in another memory format (../memory_format.h).

#include "../tensor.h"

namespace reprise {

/// x, of 4 dimensions for channels_last -> its values, dense in that format.
struct ToMemoryFormat {
  MemoryFormat format = contiguous_format;
  static constexpr std::string_view name = "to_memory_format";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("format", format)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

namespace detail {

/// What results made of these tensors have.
template <class... In>
MemoryFormat common_format(const In&... x) {
  return (x.meta().is_channels_last() || ...) ? channels_last : contiguous_format;
}

/// `x` dense in `format`; in row-major order unless it has 4 dimensions.
inline Tensor dense(const Tensor& x, MemoryFormat format) {
  return x.dim() == 4 ? x.contiguous(format) : x.contiguous();
}

}  // namespace detail
}  // namespace reprise
