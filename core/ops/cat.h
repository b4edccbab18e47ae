#pragma once
// Tensors put together.

#include "../op.h"

namespace reprise {

/// Any number of tensors one after another along `dim`; equal in all other sizes.
struct Cat {
  int dim;
  static constexpr std::string_view name = "cat";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  auto tie() const { return std::tuple(Attr("dim", dim)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
