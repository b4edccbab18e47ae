#include "scaling.h"

namespace reprise {
namespace {

void check_number(std::string_view op, std::string_view what, const Meta& m, DType dtype) {
  check(m.dim() == 0 && m.dtype == dtype, ErrorKind::Shape, op, ": expected ", what, " as a 0-dim ",
        dtype, ", got ", m.dtype, m.shape);
}

}  // namespace

Metas Unscale::infer(std::span<const Meta> in) const {
  check(in.size() > 1, ErrorKind::Value, name, ": expected the scale and gradients, got ",
        in.size(), " operands in all");
  check_number(name, "the scale", in[0], float32);
  for (size_t i = 1; i < in.size(); ++i) {
    check(is_floating_point(in[i].dtype), ErrorKind::DType, name,
          ": expected gradients of a floating-point dtype, got ", in[i].dtype, " for operand ", i);
    for (size_t d = 0; d < in[i].shape.size(); ++d) {
      check(in[i].strides[d] != 0 || in[i].shape[d] <= 1, ErrorKind::Value, name,
            ": expected elements with places of their own, got a gradient expanded to ",
            in[i].shape, "; clone it first");
    }
  }
  return {Meta({}, float32, in[1].device)};
}

Metas UpdateScale::infer(std::span<const Meta> in) const {
  check(in.size() == 3, ErrorKind::Value, name, ": expected 3 operands, got ", in.size());
  check_number(name, "the scale", in[0], float32);
  check_number(name, "growth_tracker", in[1], int32);
  check_number(name, "found_inf", in[2], float32);
  return {};
}

}  // namespace reprise
