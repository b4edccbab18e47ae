// HostCall: operands are wrapped as tensors without a copy, whatever their strides; what the
// function returns is copied to where the outputs lie. Nothing of it is traced.

#include "../../core/ops/host_call.h"

#include "../../core/dispatch.h"

namespace reprise {
namespace {

size_t bytes_spanned(const Meta& meta) {
  if (meta.numel() == 0) return 0;
  int64_t last = 0;
  for (size_t d = 0; d < meta.shape.size(); ++d) last += (meta.shape[d] - 1) * meta.strides[d];
  return static_cast<size_t>(last + 1) * size_of(meta.dtype);
}

Tensor wrap(const View& view) {
  auto memory = make_ref<Storage>(
      view.data, bytes_spanned(*view.meta), [](void*) {}, view.meta->device);
  return Tensor(make_ref<TensorImpl>(*view.meta, std::move(memory)));
}

void copy_result(const std::string& label, size_t i, const Tensor& from, const View& to) {
  const Meta& expected = *to.meta;
  check(from.defined() && from.shape() == expected.shape && from.dtype() == expected.dtype,
        ErrorKind::Shape, label, ": expected output ", i, " of ", expected.dtype, expected.shape,
        ", got ", from.defined() ? text(from.dtype(), from.shape()) : "an undefined tensor");
  wrap(to).copy_(from.detach());
}

}  // namespace

void HostCall::cpu(const Launch& l) const {
  const InterpreterGuard eager(nullptr);
  Tensors in;
  for (const View& view : l.in) in.push_back(wrap(view));
  const Tensors out = (*f.f)(in);
  check(out.size() == l.out.size(), ErrorKind::Value, label, ": expected ", l.out.size(),
        " outputs, got ", out.size());
  for (size_t i = 0; i < out.size(); ++i) copy_result(label, i, out[i], l.out[i]);
}

}  // namespace reprise
