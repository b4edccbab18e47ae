#include "transfer.h"

#include "../device_context.h"
#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {

Metas ToDevice::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_dense(name, in);
  return {Meta(in[0].shape, in[0].dtype, to)};
}

void ToDevice::cpu(const Launch& l) const { detail::transfer(l.out[0], l.in[0], l.stream.handle); }

Tensors ToDevice::vjp(const Vjp& v) const { return {v.gy[0].to(from)}; }

Tensor Tensor::to(Device wanted) const {
  if (device() == wanted || is_symbolic()) return *this;
  if (wanted.kind == Device::Kind::meta) return meta_tensor(meta());
  check(has_data(), ErrorKind::Value, "to: a meta tensor has no values to put on ", wanted);
  if (wanted.kind == Device::Kind::cuda) (void)detail::device_context(wanted, "to");
  return apply(ToDevice{device(), wanted}, contiguous());
}

Tensor& detail::copy_across(Tensor& to, const Tensor& from) {
  const Tensor fitting = from.to(to.dtype()).expand(to.shape());
  if (!to.is_contiguous()) return to.copy_(fitting.to(to.device()));
  const std::array<Tensor, 1> in{fitting.contiguous()};
  dispatch(Model(ToDevice{from.device(), to.device()}), in, &to);
  return to;
}

bool Tensor::is_pinned() const {
  return has_data() && impl().storage->deleter<detail::PinnedDeleter>() != nullptr;
}

Tensor Tensor::pin_memory() const {
  if (is_pinned()) return *this;
  check(has_data() && device() == Device::cpu(), ErrorKind::Device,
        "pin_memory: expected a tensor on cpu, got one on ", device());
  const InterpreterGuard eager(nullptr);
  (void)raw_data();  // throws inside a trace
  Tensor out(make_ref<TensorImpl>(Meta(shape(), dtype()), detail::pinned_storage(meta().nbytes())));
  return out.copy_(detach());
}

}  // namespace reprise
