#include "autocast.h"

#include <algorithm>
#include <unordered_map>

#include "dispatch.h"

namespace reprise {
namespace detail {

/// Casts of weights, by the weight's identity.
class AutocastCache {
 public:
  Tensor cast(const Tensor& weight, DType dtype) {
    const uint64_t version = weight.impl().storage->version();
    Entry& entry = entries_[weight.ref().get()];
    const bool fits = entry.cast.defined() && entry.version == version &&
                      entry.grad == grad_enabled() && entry.cast.dtype() == dtype;
    if (!fits) entry = {weight, version, grad_enabled(), weight.to(dtype)};
    return entry.cast;
  }

 private:
  struct Entry {
    Tensor weight;  // kept, so that no other can have its address
    uint64_t version = 0;
    bool grad = false;  // a cast made without gradients has no history
    Tensor cast;
  };
  std::unordered_map<const TensorImpl*, Entry> entries_;
};

constinit thread_local bool autocast_on = false;

namespace {

constinit thread_local AutocastState state{};
constinit thread_local AutocastCache* cache = nullptr;

// Source: PyTorch, "Automatic Mixed Precision package", the op references for CUDA and for the CPU,
// as far as functions here have those names (`reciprocal` is 1 / x). Functions that PyTorch lets
// promote to the widest input do so by themselves.
constexpr std::array<std::string_view, 3> kLower{"matmul", "linear", "conv2d"};
constexpr std::array<std::string_view, 2> kLosses{"cross_entropy", "mse_loss"};  // in float32
constexpr std::array<std::string_view, 7> kFloat32OnCuda{"exp", "log",     "log_softmax", "pow",
                                                         "sum", "softmax", "reciprocal"};

bool is_in(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<DType> low_dtype(const Tensor& x) {
  const Device::Kind kind = x.device().kind;
  if (kind == Device::Kind::meta) return {};
  return state.dtypes[static_cast<size_t>(kind)];
}

bool is_weight(const Tensor& x) {
  return x.dtype() == float32 && x.requires_grad() && x.is_leaf() && !x.impl().is_view;
}

bool any_on() {
  return std::ranges::any_of(state.dtypes, [](const auto& dtype) { return dtype.has_value(); });
}

}  // namespace

const AutocastState& autocast_state() {
  static constexpr AutocastState off{};
  return autocast_on ? state : off;
}

AutocastCall::AutocastCall(std::string_view function) {
  if (is_in(kLower, function)) policies_.fill(Policy::lower);
  if (is_in(kLosses, function)) policies_.fill(Policy::float32);
  if (is_in(kFloat32OnCuda, function)) {
    policies_[static_cast<size_t>(Device::Kind::cuda)] = Policy::float32;
  }
}

Tensor AutocastCall::operator()(const Tensor& x) const {
  if (!x.defined() || x.is_symbolic()) return x;
  const std::optional<DType> low = low_dtype(x);
  if (!low || !is_floating_point(x.dtype()) || x.dtype() == float64) return x;
  const Policy policy = policies_[static_cast<size_t>(x.device().kind)];
  if (policy == Policy::as_is) return x;
  if (policy == Policy::float32) return x.to(float32);
  const bool cached = cache != nullptr && state.cache && interpreter() == nullptr && is_weight(x);
  return cached ? cache->cast(x, *low) : x.to(*low);
}

AutocastPause::AutocastPause() : before_(autocast_on) { autocast_on = false; }
AutocastPause::~AutocastPause() { autocast_on = before_; }

}  // namespace detail

AutocastGuard::AutocastGuard(Device::Kind kind, DType dtype, bool enabled, bool cache_enabled)
    : before_(detail::state), was_on_(detail::autocast_on) {
  check(kind != Device::Kind::meta, ErrorKind::Device,
        "autocast: expected cpu or cuda, got meta, where nothing is computed");
  check(is_half(dtype), ErrorKind::DType, "autocast: expected float16 or bfloat16, got ", dtype);
  if (detail::cache == nullptr) {
    cache_ = std::make_unique<detail::AutocastCache>();
    detail::cache = cache_.get();
  }
  if (!was_on_) detail::state.dtypes = {};  // what is paused stays so within this guard, too
  auto& slot = detail::state.dtypes[static_cast<size_t>(kind)];
  slot = enabled ? std::optional(dtype) : std::nullopt;
  detail::state.cache = cache_enabled;
  detail::autocast_on = detail::any_on();
}

AutocastGuard::~AutocastGuard() {
  if (cache_) detail::cache = nullptr;
  detail::state = before_;
  detail::autocast_on = was_on_;
}

bool is_autocast_enabled(Device::Kind kind) {
  return detail::autocast_on && kind != Device::Kind::meta &&
         detail::state.dtypes[static_cast<size_t>(kind)].has_value();
}

}  // namespace reprise
