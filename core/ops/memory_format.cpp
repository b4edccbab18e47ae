#include "memory_format.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {
namespace {

void check_rank(std::string_view op, const Shape& shape, MemoryFormat format) {
  check(format != channels_last || shape.dim() == 4, ErrorKind::Shape, op,
        ": expected a tensor [N, C, H, W] for channels_last, got ", shape);
}

}  // namespace

Metas ToMemoryFormat::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  const Meta& x = in[0];
  check_rank(name, x.shape, format);
  return {Meta(x.shape, dense_strides(x.shape, format), x.dtype)};
}

Tensors ToMemoryFormat::vjp(const Vjp& v) const { return {v.gy[0]}; }

Tensor Tensor::contiguous(MemoryFormat format) const {
  check_rank("contiguous", shape(), format);
  if (!is_symbolic() && is_contiguous(format)) return *this;
  return composite(
      "contiguous",
      [format](const Tensor& x) {
        if (x.is_contiguous(format)) return x;
        // What a copy gives by itself is left to it: passes know copies better.
        const bool kept = x.meta().memory_format() == format;
        return kept ? reprise::clone(x) : apply(ToMemoryFormat{format}, x);
      },
      *this);
}

Tensor Tensor::to(MemoryFormat format) const {
  check_rank("to", shape(), format);
  return contiguous(format);
}

}  // namespace reprise
