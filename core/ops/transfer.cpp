#include "transfer.h"

#include "../device_context.h"
#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "memory_format.h"

namespace reprise {

Metas ToDevice::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_dense(name, in);
  return {Meta(in[0].shape, in[0].dtype, to)};
}

void ToDevice::cpu(const Launch& l) const {
  detail::transfer(l.out[0], l.in[0], l.stream.handle, non_blocking);
}

Tensors ToDevice::vjp(const Vjp& v) const { return {v.gy[0].to(from)}; }

namespace {

Tensor empty_pinned(const Meta& like) {
  Meta meta = like.dense();
  meta.device = Device::cpu();
  return Tensor(make_ref<TensorImpl>(meta, detail::pinned_storage(meta.nbytes())));
}

}  // namespace

Tensor Tensor::to(Device wanted, bool non_blocking) const {
  if (device() == wanted) return *this;
  if (wanted.kind == Device::Kind::cuda) (void)detail::device_context(wanted, "to");
  if (is_symbolic()) {
    return composite(
        "to", [=](const Tensor& x) { return x.has_data() ? x.to(wanted, non_blocking) : x; },
        *this);
  }
  if (wanted.kind == Device::Kind::meta) return meta_tensor(meta());
  check(has_data(), ErrorKind::Value, "to: a meta tensor has no values to put on ", wanted);
  non_blocking = non_blocking && interpreter() == nullptr;  // a program waits for what it reads
  const ToDevice op{device(), wanted, non_blocking};
  const std::array<Tensor, 1> in{detail::dense(*this, meta().memory_format())};
  if (!non_blocking || wanted != Device::cpu()) return apply(op, in[0]);
  Tensor out = empty_pinned(meta());
  dispatch(Model(op), in, &out);
  return out;
}

Tensor& detail::copy_across(Tensor& to, const Tensor& from, bool non_blocking) {
  const Tensor fitting = from.to(to.dtype()).expand(to.shape());
  const MemoryFormat format = to.meta().memory_format();
  if (!to.is_contiguous(format)) return to.copy_(fitting.to(to.device()));
  const std::array<Tensor, 1> in{fitting.contiguous(format)};
  const bool waits = !non_blocking || interpreter() != nullptr;
  dispatch(Model(ToDevice{from.device(), to.device(), !waits}), in, &to);
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
  return empty_pinned(meta()).copy_(detach());
}

}  // namespace reprise
