#include "device_context.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "op.h"

namespace reprise::detail {
namespace {

std::atomic<int> forks = 0;
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { ++forks; });

struct Found {
  DeviceContext* context;
  std::string why_not;
};

Found find() {
  const FoundRuntime found = find_device_runtime();
  if (found.runtime == nullptr) return {nullptr, found.why_not};
  return {new DeviceContext(*found.runtime), {}};
}

/// Never destroyed: tensors may outlive any order of exit.
const Found& found() {
  static const Found& once = *new Found(find());
  return once;
}

std::atomic<DeviceContext*> replacement = nullptr;

DeviceContext* context_or_null() {
  DeviceContext* const played = replacement;
  return played != nullptr ? played : found().context;
}

std::string reason_against(const DeviceContext* context) {
  if (context == nullptr) return found().why_not;
  if (!context->is_inherited()) return context->has_usable_device() ? "" : context->why_not(0);
  return "this process was forked from one that used it, and CUDA does not survive a fork; start "
         "the child by exec, or fork before the first use";
}

struct CudaDeleter {
  DeviceContext* context;
  int device;
  void operator()(void* block) const noexcept {
    if (!context->is_inherited()) context->pool(device).deallocate(block);
  }
};

}  // namespace

DeviceContext::DeviceContext(DeviceRuntime& runtime)
    : runtime_(runtime), forks_(forks), pinned_(runtime) {
  for (int device = 0; device < runtime.device_count(); ++device) {
    pools_.push_back(std::make_unique<DevicePool>(runtime, device));
    why_not_.push_back(runtime.why_not(device));
  }
}

bool DeviceContext::has_usable_device() const {
  return std::ranges::any_of(why_not_, &std::string::empty);
}

void* DeviceContext::take_stream(int device, int priority) {
  {
    std::lock_guard lock(mutex_);
    std::vector<void*>& spare = spare_streams_[{device, priority}];
    if (!spare.empty()) {
      void* const stream = spare.back();
      spare.pop_back();
      return stream;
    }
  }
  return runtime_.make_stream(device, priority);
}

void DeviceContext::give_back(int device, int priority, void* stream) noexcept {
  std::lock_guard lock(mutex_);
  spare_streams_[{device, priority}].push_back(stream);
}

bool DeviceContext::is_inherited() const noexcept { return forks_ != forks; }

DeviceContext& device_context(Device device, std::string_view caller) {
  DeviceContext* const context = context_or_null();
  if (const std::string reason = reason_against(context); !reason.empty()) {
    fail(ErrorKind::Device, caller, ": ", device, " cannot be used: ", reason);
  }
  check(device.index >= 0 && device.index < context->device_count(), ErrorKind::Device, caller,
        ": ", device, " cannot be used: devices are numbered from 0 to ",
        context->device_count() - 1);
  const std::string& why_not = context->why_not(device.index);
  if (!why_not.empty()) fail(ErrorKind::Device, caller, ": ", device, " cannot be used: ", why_not);
  return *context;
}

DeviceContextGuard::DeviceContextGuard(DeviceContext& context)
    : before_(replacement.exchange(&context)) {}
DeviceContextGuard::~DeviceContextGuard() { replacement = before_; }

CudaBlock allocate_on_cuda(size_t bytes, Device device) {
  DeviceContext& context = device_context(device, "tensor");
  void* const data = context.pool(device.index).allocate(bytes, current_stream(device.index));
  return {data, CudaDeleter{&context, device.index}};
}

void PinnedDeleter::operator()(void* block) const noexcept {
  if (!context->is_inherited()) context->pinned().deallocate(block);
}

Ref<Storage> pinned_storage(size_t bytes) {
  DeviceContext& context = device_context(0, "pin_memory");
  return make_ref<Storage>(context.pinned().allocate(bytes), bytes, PinnedDeleter{&context});
}

void launch_on_cuda(const OpBase& op, Launch launch, size_t workspace, Device device) {
  DeviceContext& context = device_context(device, op.name());
  launch.stream.handle = current_stream(device.index);
  DevicePool& pool = context.pool(device.index);
  const auto give_back = [&pool](void* block) { pool.deallocate(block); };
  const std::unique_ptr<void, decltype(give_back)> scratch(
      with_memory_for(op.name(), [&] { return pool.allocate(workspace, launch.stream.handle); }),
      give_back);
  launch.workspace = scratch.get();
  launch_on(context, op, launch, device.index);
}

void launch_on(DeviceContext& context, const OpBase& op, const Launch& launch, int device) {
  if (op.traits().crosses) return op.launch(Device::cpu(), launch);
  context.runtime().launch(op, launch, device);
}

void transfer(const View& to, const View& from, void* stream, bool non_blocking) {
  const size_t bytes = to.meta->nbytes();
  const Device target = to.meta->device, source = from.meta->device;
  const auto on_cuda = [](Device d) { return d.kind == Device::Kind::cuda; };
  if (bytes == 0) return;
  if (!on_cuda(target) && !on_cuda(source)) {
    std::memcpy(to.data, from.data, bytes);
    return;
  }
  const Device device = on_cuda(source) ? source : target;
  DeviceContext& context = device_context(device, "to");
  DeviceRuntime& runtime = context.runtime();
  const bool two_devices = on_cuda(target) && target != device;
  void* const other = two_devices ? current_stream(target.index) : nullptr;
  if (two_devices) make_wait(runtime, device.index, stream, target.index, other);
  runtime.copy({to.data, target}, {from.data, source}, bytes, stream);
  if (two_devices) make_wait(runtime, target.index, other, device.index, stream);
  if (on_cuda(target) && on_cuda(source)) return;
  // Memory of the host that is not ours may be pageable, which is waited for when it is written, or
  // pinned by others, which is not yet read when the call returns.
  const void* const here = on_cuda(target) ? from.data : to.data;
  const bool pinned = context.pinned().record_use(here, device.index, stream);
  const bool waits = !non_blocking || (!pinned && on_cuda(source));
  if (!waits) return;
  runtime.synchronize(device.index, stream);
  runtime.throw_fault(device.index);
}

}  // namespace reprise::detail

namespace reprise::cuda {

std::string why_not_available() { return detail::reason_against(detail::context_or_null()); }

bool is_available() noexcept { return device_count() > 0; }

int device_count() noexcept {
  const detail::DeviceContext* const context = detail::context_or_null();
  const bool is_usable =
      context != nullptr && !context->is_inherited() && context->has_usable_device();
  return is_usable ? context->device_count() : 0;
}

}  // namespace reprise::cuda
