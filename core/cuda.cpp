// Streams, events and memory as users see them, made of what the runtime of the device offers.

#include "cuda.h"

#include <atomic>
#include <utility>

#include "device_context.h"
#include "tensor.h"

namespace reprise {
namespace {

/// The guards of this thread, the innermost first.
constinit thread_local const cuda::StreamGuard* innermost = nullptr;

/// The lowest bit is whether TF32 is allowed, the rest counts other changes.
constinit std::atomic<uint64_t> settings = 0;
constexpr uint64_t kTf32 = 1, kOtherChange = 2;
constinit thread_local const uint64_t* kept_settings = nullptr;

const cuda::Stream* guarded_stream(int device) noexcept {
  for (const cuda::StreamGuard* guard = innermost; guard != nullptr; guard = guard->before()) {
    if (guard->stream().device() == device) return &guard->stream();
  }
  return nullptr;
}

DeviceRuntime& runtime_of(int device, std::string_view caller) {
  return detail::device_context(device, caller).runtime();
}

}  // namespace

void* detail::current_stream(int device) noexcept {
  const cuda::Stream* stream = guarded_stream(device);
  return stream == nullptr ? nullptr : stream->handle();
}

uint64_t detail::kernel_settings() noexcept {
  return kept_settings != nullptr ? *kept_settings : settings.load();
}
void detail::kernel_settings_changed() noexcept { settings += kOtherChange; }

detail::KernelSettingsGuard::KernelSettingsGuard() noexcept
    : settings_(kernel_settings()), before_(std::exchange(kept_settings, &settings_)) {}
detail::KernelSettingsGuard::~KernelSettingsGuard() { kept_settings = before_; }

namespace cuda {

DeviceProperties get_device_properties(int device) {
  return runtime_of(device, "cuda::get_device_properties").properties(device);
}

// ---- Stream

Stream::Stream(int device, int priority) : device_(device) {
  detail::DeviceContext& context = detail::device_context(device, "cuda::Stream");
  handle_ = context.take_stream(device, priority);
  lease_ = std::shared_ptr<void>(handle_, [&context, device, priority](void* stream) noexcept {
    if (!context.is_inherited()) context.give_back(device, priority, stream);
  });
}

Stream Stream::adopt(void* cuda_stream, int device) {
  (void)runtime_of(device, "cuda::Stream");
  return Stream(device, cuda_stream, nullptr);
}

bool Stream::query() const { return runtime_of(device_, "cuda::Stream").is_done(device_, handle_); }

void Stream::synchronize() const {
  DeviceRuntime& runtime = runtime_of(device_, "cuda::Stream");
  runtime.synchronize(device_, handle_);
  runtime.throw_fault(device_);
}

void Stream::wait_stream(const Stream& other) const {
  DeviceRuntime& runtime = runtime_of(device_, "cuda::Stream");
  detail::make_wait(runtime, device_, handle_, other.device_, other.handle_);
}

Stream current_stream(int device) {
  const Stream* stream = guarded_stream(device);
  return stream == nullptr ? Stream::default_stream(device) : *stream;
}

StreamGuard::StreamGuard(Stream stream)
    : stream_(std::move(stream)), before_(std::exchange(innermost, this)) {}
StreamGuard::~StreamGuard() { innermost = before_; }

// ---- Event

Event::Event(Event&& other) noexcept
    : timing_(other.timing_),
      device_(other.device_),
      handle_(std::exchange(other.handle_, nullptr)) {}

Event& Event::operator=(Event&& other) noexcept {
  std::swap(timing_, other.timing_);
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  return *this;
}

Event::~Event() {
  if (handle_ == nullptr || !is_available()) return;
  detail::device_context(device_, "cuda::Event").runtime().destroy_event(device_, handle_);
}

void Event::record(const Stream& stream) {
  DeviceRuntime& runtime = runtime_of(stream.device(), "cuda::Event");
  if (handle_ != nullptr && device_ != stream.device()) *this = Event(timing_);
  device_ = stream.device();
  if (handle_ == nullptr) handle_ = runtime.make_event(device_, timing_);
  runtime.record_event(device_, handle_, stream.handle());
}

bool Event::query() const {
  DeviceRuntime& runtime = runtime_of(device_, "cuda::Event");
  return handle_ == nullptr || runtime.is_event_done(device_, handle_);
}

void Event::synchronize() const {
  DeviceRuntime& runtime = runtime_of(device_, "cuda::Event");
  if (handle_ == nullptr) return;
  runtime.synchronize_event(device_, handle_);
  runtime.throw_fault(device_);
}

void Event::wait(const Stream& stream) const {
  DeviceRuntime& runtime = runtime_of(stream.device(), "cuda::Event");
  if (handle_ != nullptr) runtime.wait_event(stream.device(), stream.handle(), handle_);
}

double Event::elapsed_time(const Event& end) const {
  DeviceRuntime& runtime = runtime_of(device_, "cuda::Event");
  check(handle_ != nullptr && end.handle_ != nullptr && timing_ && end.timing_ &&
            device_ == end.device_,
        ErrorKind::Value,
        "elapsed_time: expected two events recorded with enable_timing on one device");
  synchronize();
  end.synchronize();
  return runtime.elapsed_time(device_, handle_, end.handle_);
}

// ---- the device as a whole

void synchronize(int device) {
  DeviceRuntime& runtime = runtime_of(device, "cuda::synchronize");
  runtime.synchronize(device);
  runtime.throw_fault(device);
}

MemoryInfo mem_get_info(int device) {
  return runtime_of(device, "cuda::mem_get_info").memory(device);
}

MemoryStats memory_stats(int device) {
  return detail::device_context(device, "cuda::memory_stats").pool(device).stats();
}

void reset_peak_memory_stats(int device) {
  detail::device_context(device, "cuda::reset_peak_memory_stats").pool(device).reset_peak();
}

void empty_cache(int device) {
  detail::DeviceContext& context = detail::device_context(device, "cuda::empty_cache");
  context.runtime().synchronize(device);
  context.runtime().trim(device);
  context.pinned().trim();
  context.runtime().throw_fault(device);
}

void set_allow_tf32(bool allow) noexcept {
  if (allow)
    settings |= kTf32;
  else
    settings &= ~kTf32;
}
bool allow_tf32() noexcept { return (detail::kernel_settings() & kTf32) != 0; }

}  // namespace cuda

void Tensor::record_stream(int index, void* stream) const {
  check(device() == Device::cuda(index), ErrorKind::Device,
        "record_stream: expected a tensor on cuda:", index, ", got one on ", device());
  detail::DeviceContext& context = detail::device_context(device(), "record_stream");
  if (!has_data()) return;
  context.pool(index).record_stream(impl().storage->data(), stream);
}

}  // namespace reprise
