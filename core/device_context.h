#pragma once
// The runtime of the GPUs with its pools: the door through which core reaches a device.

#include <functional>
#include <memory>
#include <string_view>

#include "device_pool.h"
#include "pinned_pool.h"
#include "storage.h"

namespace reprise {
struct View;
}

namespace reprise::detail {

class DeviceContext {
 public:
  explicit DeviceContext(DeviceRuntime& runtime);

  DeviceRuntime& runtime() { return runtime_; }
  int device_count() const { return static_cast<int>(pools_.size()); }
  /// Empty when kernels run on that device.
  const std::string& why_not(int device) const { return why_not_[static_cast<size_t>(device)]; }
  bool has_usable_device() const;
  DevicePool& pool(int device) { return *pools_[static_cast<size_t>(device)]; }
  PinnedPool& pinned() { return pinned_; }
  /// A stream of that priority, one that was given back if there is any.
  void* take_stream(int device, int priority);
  void give_back(int device, int priority, void* stream) noexcept;
  /// In a child forked since: nothing of it may be touched.
  bool is_inherited() const noexcept;

 private:
  DeviceRuntime& runtime_;
  const int forks_;
  std::vector<std::unique_ptr<DevicePool>> pools_;
  std::vector<std::string> why_not_;
  PinnedPool pinned_;
  std::mutex mutex_;
  std::map<std::pair<int, int>, std::vector<void*>> spare_streams_;
};

/// The context of this process. Device error "`caller`: cuda:1 cannot be used: ...".
DeviceContext& device_context(Device device, std::string_view caller);
inline DeviceContext& device_context(int device, std::string_view caller) {
  return device_context(Device::cuda(device), caller);
}

/// Puts `context` in place of the one of this process; tests play devices with it.
class DeviceContextGuard {
 public:
  explicit DeviceContextGuard(DeviceContext& context);
  ~DeviceContextGuard();
  DeviceContextGuard(const DeviceContextGuard&) = delete;
  DeviceContextGuard& operator=(const DeviceContextGuard&) = delete;

 private:
  DeviceContext* before_;
};

/// The stream of this thread on that device; null for the default one.
void* current_stream(int device) noexcept;

/// All settings by which kernels are chosen, as one number: what was captured with another is out
/// of date.
uint64_t kernel_settings() noexcept;
/// Kernels are chosen otherwise from now on.
void kernel_settings_changed() noexcept;

/// Keeps the settings of this thread as they are for its lifetime, whatever others set meanwhile.
class KernelSettingsGuard {
 public:
  KernelSettingsGuard() noexcept;
  ~KernelSettingsGuard();
  KernelSettingsGuard(const KernelSettingsGuard&) = delete;

 private:
  const uint64_t settings_;
  const uint64_t* const before_;
};

struct CudaBlock {
  void* data;
  std::function<void(void*)> deleter;
};
/// Memory on the current stream.
CudaBlock allocate_on_cuda(size_t bytes, Device device);

struct PinnedDeleter {
  DeviceContext* context;
  void operator()(void* block) const noexcept;
};
Ref<Storage> pinned_storage(size_t bytes);

/// Runs `op` with so many bytes of scratch on the current stream of `device`.
void launch_on_cuda(const OpBase& op, Launch launch, size_t workspace, Device device);
/// Runs `op` with the scratch and on the stream that `launch` names.
void launch_on(DeviceContext& context, const OpBase& op, const Launch& launch, int device);

/// Copies a dense tensor's bytes; between a device and the host on `stream` of that device. Waits
/// for copies that touch pinned memory unless `non_blocking`, and for any to the host's.
void transfer(const View& to, const View& from, void* stream, bool non_blocking);

}  // namespace reprise::detail
