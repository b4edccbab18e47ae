#include "random.h"

#include "../dispatch.h"
#include "../ops.h"
#include "../random.h"

namespace reprise {

Metas Random::infer(std::span<const Meta>) const { return {Meta(shape, dtype, device)}; }

Metas Dropout::infer(std::span<const Meta> in) const {
  check(is_floating_point(in[0].dtype), ErrorKind::DType,
        "dropout: expected float32 or float64, got ", in[0].dtype);
  return {Meta(in[0].shape, in[0].dtype)};
}

Tensors Dropout::vjp(const Vjp& v) const { return {apply(*this, v.gy[0])}; }

// ---- public functions
// --------------------------------------------------------------------------------

namespace {

Tensor random(std::string_view op, const Shape& shape, bool normal, const TensorOptions& options) {
  check_sizes(op, shape);
  const DType dtype = options.dtype.value_or(float32);
  check(is_floating_point(dtype), ErrorKind::DType, op, ": expected float32 or float64, got ",
        dtype);
  Generator& generator = default_generator();
  const uint64_t seed = generator.seed();
  const uint64_t offset = options.device.kind == Device::Kind::meta
                              ? 0
                              : generator.reserve(static_cast<uint64_t>(shape.numel()));
  Tensor x = apply(Random{shape, dtype, options.device, normal, 0, 1, seed, offset});
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
        Generator& generator = default_generator();
        const uint64_t seed = generator.seed();
        const auto count = static_cast<uint64_t>(a.numel());
        const uint64_t offset = a.has_data() ? generator.reserve(count) : 0;
        return apply(Dropout{p, seed, offset}, a);
      },
      x);
}

}  // namespace reprise
