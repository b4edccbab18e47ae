#include "dispatch.h"

#include <algorithm>

#include "allocator.h"
#include "device_context.h"
#include "ops.h"

namespace reprise {
namespace {

/// Scratch bytes for one kernel run.
class Workspace {
 public:
  Workspace(std::string_view op, size_t bytes)
      : data_(with_memory_for(op, [=] { return allocate(bytes); })), bytes_(bytes) {}
  ~Workspace() { deallocate(data_, bytes_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void* data() const { return data_; }

 private:
  void* data_;
  size_t bytes_;
};

/// The device on which the op runs: that of its inputs; meta when any of them has no data.
Device common_device(const OpBase& op, std::span<const Tensor> in, const Metas& out) {
  if (in.empty()) return out.front().device;
  Device device = in.front().device();
  for (size_t i = 1; i < in.size(); ++i) {
    const Device other = in[i].device();
    if (other == device || device.kind == Device::Kind::meta) continue;
    if (other.kind != Device::Kind::meta) {
      fail(ErrorKind::Device, op.name(), ": expected all inputs on ", device, ", got input ", i,
           " on ", other);
    }
    device = other;
  }
  return device;
}

bool overlaps(const Tensor& a, const Tensor& b) {
  return a.impl().storage == b.impl().storage &&
         (a.impl().offset != b.impl().offset || a.meta() != b.meta());
}

Tensor view_of(const OpBase& op, const Tensor& in, Meta meta) {
  meta.device = in.device();
  const TensorImpl& source = in.impl();
  Tensor out(make_ref<TensorImpl>(meta, source.storage, source.offset + op.offset(source.meta)));
  out.impl().is_view = true;
  return out;
}

Tensors make_outputs(const OpBase& op, Metas& metas, Device device, const Tensor* into) {
  Tensors out;
  if (into != nullptr) {
    check(metas.front().shape == into->shape() && metas.front().dtype == into->dtype(),
          ErrorKind::Shape, op.name(), "_: expected a result of ", into->dtype(), into->shape(),
          " for the in-place form, got ", metas.front().dtype, metas.front().shape);
    out.push_back(*into);
    return out;
  }
  for (Meta& meta : metas) {
    if (!op.traits().crosses || device.kind == Device::Kind::meta) meta.device = device;
    const bool real = device.kind != Device::Kind::meta;
    out.emplace_back(make_ref<TensorImpl>(
        meta, real ? make_ref<Storage>(meta.nbytes(), meta.device) : Ref<Storage>()));
  }
  return out;
}

void run_kernel(const OpBase& op, std::span<const Tensor> in, std::span<const Meta> metas,
                std::span<const Tensor> out, Device device) {
  SmallVector<View, 8> views;
  for (const Tensor& t : in) views.push_back({t.raw_data(), &t.meta()});
  for (const Tensor& t : out) views.push_back({t.raw_data(), &t.meta()});
  const std::span<const View> all = views;
  Launch launch{all.first(in.size()), all.subspan(in.size()), nullptr, {}};
  const size_t bytes = op.workspace(metas, device);
  if (device.kind == Device::Kind::cuda) [[unlikely]] {
    return detail::launch_on_cuda(op, launch, bytes, device);
  }
  const Workspace workspace(op.name(), bytes);
  launch.workspace = workspace.data();
  op.launch(device, launch);
}

/// Raises the versions of everything the kernel wrote besides its fresh outputs.
void bump_versions(const OpBase& op, std::span<const Tensor> in, const Tensor* into) {
  if (into != nullptr) into->impl().storage->bump_version();
  const OpTraits& traits = op.traits();
  for (size_t i = 0; i < in.size() && traits.writes != 0; ++i) {
    if (traits.writes_input(i)) in[i].impl().storage->bump_version();
  }
}

/// An op called directly on symbolic tensors, outside of any composite.
class OpCallable final : public Callable {
 public:
  explicit OpCallable(OpRef op) : op_(std::move(op)) {}
  std::string name() const override { return std::string(op_->name()); }
  Tensors call(std::span<const Tensor> in) override { return dispatch(*op_, in); }
  std::shared_ptr<Callable> copy() const override { return std::make_shared<OpCallable>(*this); }

 private:
  OpRef op_;
};

bool is_symbolic(const Tensor& t) { return t.is_symbolic(); }

/// Each element of the target of an in-place op must have a place of its own.
void check_writable(const OpBase& op, const Tensor& into) {
  check(!into.is_symbolic(), ErrorKind::Graph, op.name(),
        "_: a symbolic tensor cannot be changed in place; use the form without _");
  const Meta& meta = into.meta();
  for (size_t d = 0; d < meta.shape.size(); ++d) {
    check(meta.strides[d] != 0 || meta.shape[d] <= 1, ErrorKind::Value, op.name(),
          "_: expected elements with places of their own, got a tensor expanded to ", meta.shape,
          "; clone it first");
  }
}

constinit thread_local Interpreter* current_interpreter = nullptr;

}  // namespace

Interpreter* interpreter() { return current_interpreter; }

InterpreterGuard::InterpreterGuard(Interpreter* interpreter)
    : before_(std::exchange(current_interpreter, interpreter)) {}
InterpreterGuard::~InterpreterGuard() { current_interpreter = before_; }

Tensors run_eager(const OpBase& op, std::span<const Tensor> in, const Tensor* into) {
  Metas metas;
  for (const Tensor& t : in) metas.push_back(t.meta());
  Metas out_metas = op.infer(metas);
  if (op.traits().alias) return {view_of(op, in.front(), out_metas.front())};
  Device device = common_device(op, in, out_metas);
  if (device.kind == Device::Kind::cuda) (void)detail::device_context(device, op.name());
  Tensors out =
      with_memory_for(op.name(), [&] { return make_outputs(op, out_metas, device, into); });
  if (device.kind == Device::Kind::meta) return out;
  if (op.traits().crosses && device.kind == Device::Kind::cpu) device = out.front().device();
  run_kernel(op, in, metas, out, device);
  bump_versions(op, in, into);
  return out;
}

Tensors dispatch(const OpBase& op, std::span<const Tensor> in, const Tensor* into) {
  if (into != nullptr) check_writable(op, *into);
  if (std::any_of(in.begin(), in.end(), is_symbolic)) [[unlikely]] {
    check(into == nullptr && op.traits().writes == 0, ErrorKind::Graph, op.name(),
          ": a symbolic tensor cannot be written into a real one");
    return call_symbolic(std::make_shared<OpCallable>(op.keep()), in);
  }
  if (into != nullptr &&
      std::any_of(in.begin(), in.end(), [&](const Tensor& t) { return overlaps(t, *into); })) {
    Tensors safe(in.begin(), in.end());
    for (Tensor& t : safe) {
      if (overlaps(t, *into)) t = clone(t);
    }
    return dispatch(op, safe, into);
  }
  const Ref<History> record = begin_record(op, in, into);
  Interpreter* const tracer = current_interpreter;
  Tensors out = tracer == nullptr ? run_eager(op, in, into) : tracer->apply(op, in, into);
  if (record) end_record(*record, out);
  return out;
}

Tensors call_symbolic(std::shared_ptr<Callable> callable, std::span<const Tensor> in) {
  const auto symbol = std::find_if(in.begin(), in.end(), is_symbolic);
  return symbol->impl().symbol->call(std::move(callable), in);
}

Tensor custom_name(const Tensor& x, const std::string& name) {
  check(!name.empty(), ErrorKind::Value, "custom_name: expected a name, got an empty one");
  if (x.is_symbolic()) x.impl().symbol->set_name(name);
  return x;
}

void Symbol::destroy(Symbol* symbol) noexcept {
  thread_local std::vector<Symbol*>* pending = nullptr;
  if (pending != nullptr) return pending->push_back(symbol);
  std::vector<Symbol*> queue{symbol};
  pending = &queue;
  while (!queue.empty()) {
    const Symbol* next = queue.back();
    queue.pop_back();
    delete next;
  }
  pending = nullptr;
}

namespace detail {

void no_kernel(std::string_view op, Device device) {
  fail(ErrorKind::Device, op, ": has no kernel on ", device);
}

}  // namespace detail
}  // namespace reprise
