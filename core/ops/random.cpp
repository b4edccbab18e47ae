#include "random.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {
namespace {

void check_blocks(std::string_view op, const Meta& blocks) {
  check(blocks.shape == Shape{2} && blocks.dtype == int64, ErrorKind::Shape, op,
        ": expected blocks int64[2], got ", blocks.dtype, blocks.shape);
}

}  // namespace

Metas RandomBlocks::infer(std::span<const Meta> in) const {
  check_count(name, in, 0);
  check(count >= 0, ErrorKind::Value, name, ": expected a count of at least 0, got ", count);
  return {Meta({2}, int64, device)};
}

Metas NextBlocks::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_blocks(name, in[0]);
  check(count >= 0, ErrorKind::Value, name, ": expected a count of at least 0, got ", count);
  return {Meta({2}, int64)};
}

Metas Random::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_blocks(name, in[0]);
  check(dtype == float32 || dtype == float64, ErrorKind::DType, name,
        ": expected float32 or float64, got ", dtype);
  return {checked_meta(name, shape, dtype)};
}

Metas Dropout::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_floating(name, in[0].dtype);
  check_blocks(name, in[1]);
  check(p >= 0 && p <= 1, ErrorKind::Value, "dropout: expected p in [0, 1], got ", p);
  return {Meta(in[0].shape, in[0].dtype)};
}

Tensors Dropout::vjp(const Vjp& v) const { return {apply(*this, v.gy[0], v.in[1]), Tensor()}; }

// ---- public functions
// --------------------------------------------------------------------------------

namespace {

Tensor random(std::string_view op, const Shape& shape, bool normal, const TensorOptions& options) {
  check_sizes(op, shape);
  const DType wanted = options.dtype.value_or(float32);
  check_floating(op, wanted);
  const DType dtype = is_half(wanted) ? float32 : wanted;
  const Tensor blocks = apply(RandomBlocks{shape.numel(), options.device});
  Tensor x = apply(Random{shape, dtype, normal, 0, 1}, blocks).to(wanted);
  if (options.requires_grad) x.requires_grad_();
  return x;
}

}  // namespace

Tensor rand(const Shape& shape, const TensorOptions& options) {
  return random("rand", shape, false, options);
}
Tensor randn(const Shape& shape, const TensorOptions& options) {
  return random("randn", shape, true, options);
}

Tensor dropout(const Tensor& x, double p, bool training) {
  check(p >= 0 && p <= 1, ErrorKind::Value, "dropout: expected p in [0, 1], got ", p);
  return composite(
      "dropout",
      [p, training](const Tensor& a) {
        if (!training || p == 0) return a;
        return apply(Dropout{p}, a, apply(RandomBlocks{a.numel(), a.device()}));
      },
      x);
}

}  // namespace reprise
