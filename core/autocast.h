#pragma once
// Mixed precision: while an AutocastGuard lives, public functions cast what they are given. Matrix
// products and convolutions run in 16 bits, where those pay; losses run in float32, and on CUDA all
// functions that sum much or grow fast; the rest takes what comes, and of several dtypes the
// widest. The lists are those of torch.autocast (autocast.cpp), which differ between CUDA and the
// CPU. float64 and integers are left alone.
// Casts are op calls: differentiable, traced and replayed. Backward runs in the dtypes of forward,
// whether or not a guard lives by then.

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "tensor.h"

namespace reprise {
namespace detail {

/// Set while a guard has switched autocast on for any device: what public functions look at.
extern REPRISE_API constinit thread_local bool autocast_on;

/// What guards have said on this thread: the dtype for each kind of device, none where it is off.
struct AutocastState {
  std::array<std::optional<DType>, 2> dtypes;
  bool cache = true;
  friend bool operator==(const AutocastState&, const AutocastState&) = default;
};
REPRISE_API const AutocastState& autocast_state();

class AutocastCache;

/// The casts of one function by its name.
class REPRISE_API AutocastCall {
 public:
  explicit AutocastCall(std::string_view function);
  Tensor operator()(const Tensor& x) const;

 private:
  enum class Policy : uint8_t { as_is, lower, float32 };
  std::array<Policy, 2> policies_{};  // for each kind of device
};

/// Switches autocast off for its lifetime: around backward.
class REPRISE_API AutocastPause {
 public:
  AutocastPause();
  ~AutocastPause();
  AutocastPause(const AutocastPause&) = delete;
  AutocastPause& operator=(const AutocastPause&) = delete;

 private:
  bool before_;
};

}  // namespace detail

/// Switches autocast on, or off, for tensors on devices of a kind, for its lifetime and on its
/// thread. Guards nest. Weights (float32 leaves that require grad) are cast once within the
/// outermost guard and again when they have changed; not inside a trace. DType error unless `dtype`
/// is float16 or bfloat16, Device error for meta.
class REPRISE_API AutocastGuard {
 public:
  explicit AutocastGuard(Device::Kind kind, DType dtype = bfloat16, bool enabled = true,
                         bool cache_enabled = true);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  detail::AutocastState before_;
  bool was_on_;
  std::unique_ptr<detail::AutocastCache> cache_;  // of the outermost guard
};

/// `const auto mixed = autocast(Device::Kind::cuda, float16);`
[[nodiscard]] inline AutocastGuard autocast(Device::Kind kind, DType dtype = bfloat16,
                                            bool enabled = true) {
  return AutocastGuard(kind, dtype, enabled);
}

/// Whether functions cast tensors on devices of that kind, on this thread.
REPRISE_API bool is_autocast_enabled(Device::Kind kind);

}  // namespace reprise
