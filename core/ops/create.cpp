#include "create.h"

#include <cmath>

#include "../device_context.h"
#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {

Metas Full::infer(std::span<const Meta> in) const {
  check_count(name, in, 0);
  return {checked_meta(name, shape, dtype, device)};
}

Metas Arange::infer(std::span<const Meta> in) const {
  check_count(name, in, 0);
  return {checked_meta(name, {size}, dtype, device)};
}

namespace {

Tensor finish(Tensor x, const TensorOptions& options) {
  if (options.requires_grad) x.requires_grad_();
  return x;
}

Tensor fill(std::string_view op, const Shape& shape, Scalar value, DType fallback,
            const TensorOptions& options) {
  check_sizes(op, shape);
  const DType dtype = options.dtype.value_or(fallback);
  return finish(apply(Full{shape, value, dtype, options.device}), options);
}

}  // namespace

Tensor zeros(const Shape& shape, const TensorOptions& options) {
  return fill("zeros", shape, 0, float32, options);
}
Tensor ones(const Shape& shape, const TensorOptions& options) {
  return fill("ones", shape, 1, float32, options);
}
Tensor full(const Shape& shape, Scalar value, const TensorOptions& options) {
  return fill("full", shape, value, value.dtype() == float64 ? float32 : value.dtype(), options);
}
Tensor empty(const Shape& shape, const TensorOptions& options) {
  check_sizes("empty", shape);
  const Meta meta(shape, options.dtype.value_or(float32), options.device);
  if (options.device.kind == Device::Kind::meta) return meta_tensor(meta);
  if (interpreter() != nullptr) return fill("empty", shape, 0, float32, options);
  return finish(
      Tensor(make_ref<TensorImpl>(meta, make_ref<Storage>(meta.nbytes(), options.device))),
      options);
}

Tensor detail::empty_constant(const Shape& shape, DType dtype) {
  const InterpreterGuard eager(nullptr);
  return empty(shape, {.dtype = dtype});
}

namespace {

using Make = Tensor (*)(const Shape&, const TensorOptions&);

/// What is channels-last is made as [N, H, W, C].
Tensor make_like(const Tensor& x, Make make) {
  const TensorOptions options{.dtype = x.dtype(), .device = x.device()};
  const Shape& s = x.shape();
  if (!x.meta().is_channels_last()) return make(s, options);
  Tensor out = make({s[0], s[2], s[3], s[1]}, options).permute({0, 3, 1, 2});
  out.impl().is_view = false;  // nobody sees what it is a view of
  return out;
}

Tensor make_like(std::string_view name, const Tensor& x, Make make) {
  return composite(
      name, [make](const Tensor& a) { return make_like(a, make); }, x);
}

}  // namespace

Tensor empty_like(const Tensor& x) { return make_like("empty_like", x, empty); }
Tensor zeros_like(const Tensor& x) { return make_like("zeros_like", x, zeros); }
Tensor ones_like(const Tensor& x) { return make_like("ones_like", x, ones); }

Tensor arange(Scalar start, Scalar end, Scalar step, const TensorOptions& options) {
  const double distance = end.to<double>() - start.to<double>(), by = step.to<double>();
  check(by != 0 && distance / by >= 0, ErrorKind::Value, "arange: expected a step from ", start,
        " towards ", end, ", got ", step);
  const bool real = start.dtype() == float64 || end.dtype() == float64 || step.dtype() == float64;
  const double size = std::ceil(distance / by);
  check(size < 0x1p62, ErrorKind::Value, "arange: expected a finite number of elements, got ",
        size);
  const DType dtype = options.dtype.value_or(real ? float32 : int64);
  return finish(apply(Arange{start, step, static_cast<int64_t>(size), dtype, options.device}),
                options);
}
Tensor arange(Scalar end, const TensorOptions& options) { return arange(0, end, 1, options); }

Tensor& Tensor::fill_(Scalar value) {
  dispatch(Model(Full{shape(), value, dtype(), device()}), {}, this);
  return *this;
}

Tensor from_blob(void* data, const Shape& shape, const TensorOptions& options,
                 std::function<void(void*)> deleter) {
  check_sizes("from_blob", shape);
  const Meta meta(shape, options.dtype.value_or(float32), options.device);
  check(data != nullptr || meta.nbytes() == 0, ErrorKind::Value, "from_blob: expected memory for ",
        shape, ", got a null pointer");
  check(meta.device.kind != Device::Kind::meta, ErrorKind::Device,
        "from_blob: expected memory on cpu or cuda, got ", meta.device);
  if (meta.device.kind == Device::Kind::cuda)
    (void)detail::device_context(meta.device, "from_blob");
  if (!deleter) deleter = [](void*) {};
  auto storage = make_ref<Storage>(data, meta.nbytes(), std::move(deleter), meta.device);
  return finish(Tensor(make_ref<TensorImpl>(meta, std::move(storage))), options);
}

// ---- tensor({{1, 2}, {3, 4}})
// ------------------------------------------------------------------------

namespace {

void measure(const NestedList& list, Shape& shape, int depth) {
  if (!list.is_list()) {
    check(depth == shape.dim(), ErrorKind::Shape,
          "tensor: expected lists of one depth, got a number beside a list");
    return;
  }
  const auto size = static_cast<int64_t>(list.items().size());
  if (depth == shape.dim()) shape.push_back(size);
  const int64_t expected = shape[static_cast<size_t>(depth)];
  check(size == expected, ErrorKind::Shape, "tensor: expected lists of one length, got ", expected,
        " and ", size);
}

void collect(const NestedList& list, Shape& shape, int depth, std::vector<Scalar>& values) {
  check(!list.is_list() || values.empty() || depth < shape.dim(), ErrorKind::Shape,
        "tensor: expected lists of one depth, got a list beside a number");
  measure(list, shape, depth);
  if (!list.is_list()) return values.push_back(list.value());
  for (const NestedList& item : list.items()) collect(item, shape, depth + 1, values);
}

DType common_dtype(const std::vector<Scalar>& values) {
  if (values.empty()) return float32;
  DType dtype = bool_;
  for (const Scalar& v : values) dtype = promote(dtype, v.dtype());
  return dtype == float64 ? float32 : dtype;
}

}  // namespace

Tensor tensor(const NestedList& list, const TensorOptions& options) {
  Shape shape;
  std::vector<Scalar> values;
  collect(list, shape, 0, values);
  const DType dtype = options.dtype.value_or(common_dtype(values));
  Tensor out = detail::empty_constant(shape, dtype);
  visit_any_dtype(dtype, [&]<class T>() {
    T* to = static_cast<T*>(out.raw_data());
    for (const Scalar& v : values) *to++ = v.to<T>();
  });
  return finish(out.to(options.device), options);
}

}  // namespace reprise
