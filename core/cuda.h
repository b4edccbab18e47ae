#pragma once
// GPUs: what is there, queues of work and their order, memory. Tensors go there by
// `x.to(Device::cuda())`. Without a device everything here that needs one throws a Device error
// that says why there is none. In a forked child of a process that used a GPU there is none.

#include <cstdint>
#include <memory>
#include <string>

#include "allocator.h"
#include "device.h"

namespace reprise::cuda {

/// Whether at least one device can be used.
REPRISE_API bool is_available() noexcept;
/// Why none can be used (no driver, a driver too old, no device, a device too old, a build without
/// CUDA, a forked child); empty when one can.
REPRISE_API std::string why_not_available();
/// 0 when none can be used; else one that is too old counts, so that numbers are those of CUDA.
REPRISE_API int device_count() noexcept;

struct DeviceProperties {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multi_processor_count = 0;
  int64_t total_memory = 0, L2_cache_size = 0;  ///< bytes, as those below
  int64_t shared_memory_per_block_optin = 0;    ///< that a block of threads may ask for
};
REPRISE_API DeviceProperties get_device_properties(int device = 0);

/// A queue of work: what is put there runs in order; work on different streams may overlap. Copies
/// of a Stream are the same queue.
class REPRISE_API Stream {
 public:
  /// A queue that waits for no other, not even the default one. Negative priorities are served
  /// first, as far as the device knows them (-1 always does).
  explicit Stream(int device = 0, int priority = 0);
  /// A caller's cudaStream_t. It must outlive this object and the tensors made on it. Not
  /// cudaStreamPerThread, which is another queue in each thread.
  static Stream adopt(void* cuda_stream, int device = 0);
  static Stream default_stream(int device = 0) { return adopt(nullptr, device); }

  int device() const { return device_; }
  /// The cudaStream_t.
  void* handle() const { return handle_; }
  /// Whether it is a caller's, so that its handle may be that of another queue later on.
  bool is_adopted() const { return handle_ != nullptr && lease_ == nullptr; }
  /// Whether all that was put there is done.
  bool query() const;
  /// Waits until it is.
  void synchronize() const;
  /// Work put here from now on waits for what was put on `other` until now.
  void wait_stream(const Stream& other) const;

  friend bool operator==(const Stream& a, const Stream& b) {
    return a.device_ == b.device_ && a.handle_ == b.handle_;
  }

 private:
  Stream(int device, void* handle, std::shared_ptr<void> lease)
      : device_(device), handle_(handle), lease_(std::move(lease)) {}

  int device_;
  void* handle_;
  std::shared_ptr<void> lease_;  // gives a stream of ours back for reuse
};

/// Where ops of this thread on that device are put: the default stream unless a StreamGuard lives.
REPRISE_API Stream current_stream(int device = 0);

/// Makes `stream` the current one of its device on this thread. Guards end in reverse order.
/// `backward()` puts its work where it is called, not where forward ran as PyTorch does: call it
/// within the same guard, or order the streams by wait_stream and Tensor::record_stream.
class REPRISE_API StreamGuard {
 public:
  explicit StreamGuard(Stream stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

  const Stream& stream() const { return stream_; }
  const StreamGuard* before() const { return before_; }

 private:
  Stream stream_;
  const StreamGuard* before_;
};

/// A mark in a stream. Before it is recorded, it counts as done.
class REPRISE_API Event {
 public:
  /// Only with `enable_timing` may the time between two events be asked.
  explicit Event(bool enable_timing = false) : timing_(enable_timing) {}
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  ~Event();

  /// Marks the end of what `stream` holds now; an earlier mark is forgotten.
  void record(const Stream& stream);
  void record() { record(current_stream(device_)); }
  bool query() const;
  void synchronize() const;
  /// Work put on `stream` from now on waits for the mark.
  void wait(const Stream& stream) const;
  /// Milliseconds from this mark to that of `end`; waits for both. Value error unless both were
  /// recorded on one device, with enable_timing.
  double elapsed_time(const Event& end) const;

 private:
  bool timing_;
  int device_ = 0;
  void* handle_ = nullptr;
};

/// Waits until all streams of the device are done. Failures of kernels show here, and, as in every
/// call that waits, once, the first index out of range that a kernel met: the Index error of the
/// CPU. What was computed from it is not to be used; the device is.
REPRISE_API void synchronize(int device = 0);

struct MemoryInfo {
  int64_t free, total;  ///< bytes of the device, whoever uses them
};
REPRISE_API MemoryInfo mem_get_info(int device = 0);
REPRISE_API MemoryStats memory_stats(int device = 0);
REPRISE_API void reset_peak_memory_stats(int device = 0);
/// Gives the memory kept for reuse, of the device and pinned, back to the system.
REPRISE_API void empty_cache(int device = 0);

/// Whether float32 matrix products and convolutions may round their factors to TF32 (10 bits of
/// mantissa). Off unless set; for the whole process. Programs are captured anew when it changes; a
/// run keeps what was set when it began.
REPRISE_API void set_allow_tf32(bool allow) noexcept;
REPRISE_API bool allow_tf32() noexcept;

}  // namespace reprise::cuda
