#include "autocast.h"

#include <algorithm>
#include <vector>

#include "dispatch.h"

namespace reprise {
namespace detail {

/// Casts of weights. The tensors are kept, so that no other can have the address of one.
struct AutocastCache {
  struct Entry {
    Tensor weight;
    uint64_t version;
    bool grad;  // a cast made without gradients has no history
    Tensor cast;
  };
  std::vector<Entry> entries;

  Tensor cast(const Tensor& weight, DType dtype) {
    const uint64_t version = weight.impl().storage->version();
    const auto same = [&](const Entry& e) { return e.weight.ref() == weight.ref(); };
    const auto found = std::ranges::find_if(entries, same);
    if (found != entries.end() && found->version == version && found->grad == grad_enabled() &&
        found->cast.dtype() == dtype) {
      return found->cast;
    }
    Entry made{weight, version, grad_enabled(), weight.to(dtype)};
    if (found == entries.end()) return entries.emplace_back(std::move(made)).cast;
    *found = std::move(made);
    return found->cast;
  }
};

constinit thread_local bool autocast_on = false;

namespace {

constinit thread_local AutocastState state{};
constinit thread_local AutocastCache* cache = nullptr;

// Source: PyTorch, "Automatic Mixed Precision package", op reference for CUDA.
constexpr std::array<std::string_view, 3> kLower{"matmul", "linear", "conv2d"};
constexpr std::array<std::string_view, 8> kFloat32{
    "exp", "log", "pow", "sum", "softmax", "log_softmax", "cross_entropy", "mse_loss"};

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

const AutocastState& autocast_state() { return state; }

AutocastCall::AutocastCall(std::string_view function) {
  if (is_in(kLower, function)) policy_ = Policy::lower;
  if (is_in(kFloat32, function)) policy_ = Policy::float32;
}

Tensor AutocastCall::operator()(const Tensor& x) const {
  if (policy_ == Policy::as_is || !x.defined() || x.is_symbolic()) return x;
  const std::optional<DType> low = low_dtype(x);
  if (!low || !is_floating_point(x.dtype()) || x.dtype() == float64) return x;
  if (policy_ == Policy::float32) return x.to(float32);
  const bool cached = cache != nullptr && state.cache && interpreter() == nullptr && is_weight(x);
  return cached ? cache->cast(x, *low) : x.to(*low);
}

AutocastPause::AutocastPause() : before_(autocast_on) {
  autocast_on = false;
  if (cache != nullptr) cache->entries.clear();
}
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
