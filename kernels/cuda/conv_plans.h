#pragma once
// The plans of cuDNN made so far. T::workspace asks for one before a kernel runs it, perhaps long
// before, so the room that the first plan of a convolution took is the bound for the other one, for
// the other setting of TF32: whatever is set when the kernel runs, its workspace suffices.

#include <functional>
#include <map>
#include <mutex>

#include "conv_plan.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {

struct ConvKey {
  int device;
  ConvWork work;
  friend auto operator<=>(const ConvKey&, const ConvKey&) = default;
};

class ConvPlans {
 public:
  using Make = std::function<std::optional<ConvPlan>(const ConvRequest&)>;
  static constexpr size_t kMostRoom = 1 << 30;

  explicit ConvPlans(Make make) : make_(std::move(make)) {}

  /// Workspace of all plans of a convolution.
  size_t room(const ConvKey& key, bool tf32);
  /// Whether there is a plan.
  bool has(const ConvKey& key, bool tf32);
  /// Calls f with the plan. One thread at a time, since plans may not be run by two at once.
  template <class F>
  void use(const ConvKey& key, bool tf32, F f) {
    const std::lock_guard lock(mutex_);
    f(*find(key, tf32).plans[tf32]->plan);
  }

 private:
  struct Made {
    std::optional<ConvPlan> plan;
  };
  struct Entry {
    size_t room = kMostRoom;
    std::optional<Made> plans[2];  // without and with TF32
  };
  /// With the plan made, now unless that was tried before; the lock is held.
  Entry& find(const ConvKey& key, bool tf32);

  Make make_;
  std::mutex mutex_;
  std::map<ConvKey, Entry> entries_;
};

}  // namespace reprise::cuda

#endif
