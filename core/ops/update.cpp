#include "update.h"

namespace reprise {
namespace {

void check_alike(std::string_view op, std::span<const Meta> in, std::span<const size_t> which) {
  for (size_t i : which) {
    check(in[i].shape == in[0].shape && in[i].dtype == in[0].dtype, ErrorKind::Shape, op,
          ": expected operand ", i, " like the parameter ", in[0].dtype, in[0].shape, ", got ",
          in[i].dtype, in[i].shape);
  }
  check(is_floating_point(in[0].dtype), ErrorKind::DType, op,
        ": expected parameters of float32 or float64, got ", in[0].dtype);
}

void check_number(std::string_view op, std::string_view what, const Meta& m) {
  check(m.dim() == 0 && m.dtype == float64, ErrorKind::Shape, op, ": expected ", what,
        " as a 0-dim float64, got ", m.dtype, m.shape);
}

}  // namespace

Metas SgdStep::infer(std::span<const Meta> in) const {
  check_alike(name, in, std::array<size_t, 2>{1, momentum > 0 ? size_t{2} : size_t{1}});
  check_number(name, "lr", in[3]);
  return {};
}

Metas AdamStep::infer(std::span<const Meta> in) const {
  check_alike(name, in, std::array<size_t, 4>{1, 2, 3, amsgrad ? size_t{6} : size_t{3}});
  check_number(name, "step", in[4]);
  check_number(name, "lr", in[5]);
  return {};
}

}  // namespace reprise
