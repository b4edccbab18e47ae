#include "update.h"

namespace reprise {
namespace {

/// One parameter's operands, the first at index `first` of the op's.
class Parameter {
 public:
  Parameter(std::string_view op, std::span<const Meta> in, size_t first, size_t count)
      : op_(op), first_(first), in_(in.subspan(first, count)) {
    check(is_floating_point(in_[0].dtype), ErrorKind::DType, op,
          ": expected parameters of a floating-point dtype, got ", in_[0].dtype, " for operand ",
          first);
  }
  void check_like_param(size_t i) const {
    check(is_like_param(i), ErrorKind::Shape, op_, ": expected operand ", first_ + i,
          " like the parameter ", in_[0].dtype, in_[0].shape, ", got ", in_[i].dtype, in_[i].shape);
  }
  void check_gradient() const {
    const bool is_shorter = in_[0].dtype == float32 && is_half(in_[1].dtype);
    if (!is_shorter || in_[1].shape != in_[0].shape) check_like_param(1);
  }
  /// An operand that these attributes do not use.
  void check_unused(size_t i) const {
    check(is_like_param(i) || in_[i].numel() == 0, ErrorKind::Shape, op_, ": expected operand ",
          first_ + i, " empty or like the parameter ", in_[0].dtype, in_[0].shape, ", got ",
          in_[i].dtype, in_[i].shape);
  }

 private:
  bool is_like_param(size_t i) const {
    return in_[i].shape == in_[0].shape && in_[i].dtype == in_[0].dtype;
  }

  std::string_view op_;
  size_t first_;
  std::span<const Meta> in_;
};

void check_number(std::string_view op, std::string_view what, const Meta& m) {
  check(m.dim() == 0 && m.dtype == float64, ErrorKind::Shape, op, ": expected ", what,
        " as a 0-dim float64, got ", m.dtype, m.shape);
}

/// Checks what both ops have in common, then each parameter by f(parameter).
template <class F>
Metas infer_update(std::string_view op, std::span<const Meta> in, size_t period, F f) {
  check(in.size() > 1 && in.size() % period == 1, ErrorKind::Value, op, ": expected lr and ",
        period, " operands for each parameter, got ", in.size(), " operands in all");
  check_number(op, "lr", in[0]);
  for (size_t first = 1; first < in.size(); first += period) {
    const Parameter parameter(op, in, first, period);
    parameter.check_gradient();
    f(parameter);
    check_number(op, "step", in[first + period - 1]);
  }
  return {};
}

}  // namespace

Metas SgdStep::infer(std::span<const Meta> in) const {
  return infer_update(name, in, writes_period, [&](const Parameter& p) {
    momentum > 0 ? p.check_like_param(2) : p.check_unused(2);
  });
}

Metas AdamStep::infer(std::span<const Meta> in) const {
  return infer_update(name, in, writes_period, [&](const Parameter& p) {
    p.check_like_param(2);
    p.check_like_param(3);
    amsgrad ? p.check_like_param(4) : p.check_unused(4);
  });
}

}  // namespace reprise
