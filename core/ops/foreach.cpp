#include "foreach.h"

#include "../model.h"
#include "check_operands.h"
#include "elementwise.h"

namespace reprise {
namespace {

void check_some(std::string_view op, std::span<const Meta> in) {
  check(!in.empty(), ErrorKind::Value, op, ": expected at least one operand, got none");
}

/// What is updated in place.
void check_target(std::string_view op, const Meta& m) {
  check_floating(op, m.dtype);
  for (size_t d = 0; d < m.shape.size(); ++d) {
    check(m.strides[d] != 0 || m.shape[d] <= 1, ErrorKind::Value, op,
          ": expected elements with places of their own, got a tensor expanded to ", m.shape,
          "; clone it first");
  }
}

Metas infer_targets(std::string_view op, std::span<const Meta> in) {
  check_some(op, in);
  for (const Meta& m : in) check_target(op, m);
  return {};
}

/// Dense in one of the orders of its dimensions.
bool fills_its_memory(const Meta& m) {
  int64_t spanned = 1;
  for (size_t d = 0; d < m.shape.size(); ++d) {
    if (m.strides[d] == 0 && m.shape[d] > 1) return false;
    spanned += (m.shape[d] - 1) * m.strides[d];
  }
  return m.numel() == 0 || spanned == m.numel();
}

}  // namespace

Metas ForeachCopy::infer(std::span<const Meta> in) const {
  check_some(name, in);
  Metas out;
  for (const Meta& m : in) out.push_back(Model(Copy{dtype}).infer(std::span(&m, 1)).front());
  return out;
}

Metas ForeachAdd::infer(std::span<const Meta> in) const {
  check(!in.empty() && in.size() % 2 == 0, ErrorKind::Value, name,
        ": expected pairs of operands, got ", in.size());
  for (size_t i = 0; i < in.size(); i += 2) {
    const Meta &x = in[i], &y = in[i + 1];
    check_target(name, x);
    const bool may_add = y.dtype == x.dtype || (x.dtype == float32 && is_half(y.dtype));
    check(may_add && y.shape == x.shape, ErrorKind::Shape, name, ": expected operand ", i + 1,
          " like ", x.dtype, x.shape, ", got ", y.dtype, y.shape);
  }
  return {};
}

Metas ForeachFill::infer(std::span<const Meta> in) const { return infer_targets(name, in); }
Metas ForeachClamp::infer(std::span<const Meta> in) const { return infer_targets(name, in); }

Metas TotalNorm::infer(std::span<const Meta> in) const {
  check_some(name, in);
  DType dtype = float32;
  for (const Meta& m : in) {
    check_floating(name, m.dtype);
    check(fills_its_memory(m), ErrorKind::Value, name, ": expected dense operands, got strides ",
          m.strides, " for ", m.shape);
    if (m.dtype == float64) dtype = float64;
  }
  return {Meta({}, dtype, in[0].device)};
}

Metas ClipWithNorm::infer(std::span<const Meta> in) const {
  check(in.size() > 1, ErrorKind::Value, name, ": expected the norm and what to clip, got ",
        in.size(), " operands in all");
  check(in[0].dim() == 0 && (in[0].dtype == float32 || in[0].dtype == float64), ErrorKind::Shape,
        name, ": expected the norm as a 0-dim float32 or float64, got ", in[0].dtype, in[0].shape);
  return infer_targets(name, in.subspan(1));
}

}  // namespace reprise
