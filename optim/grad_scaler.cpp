#include "grad_scaler.h"

#include <algorithm>

#include "../autograd/tape.h"
#include "../core/dispatch.h"
#include "../core/ops.h"

namespace reprise::optim {
namespace {

/// 0 times what is finite is 0, and NaN otherwise: the sum of all tells whether any is not.
Tensor has_inf(const Tensors& gradients, Device device) {
  Tensor sum_of_zeros = zeros({}, {.device = device});
  for (const Tensor& g : gradients) {
    const Tensor zero = sum(g * 0);
    sum_of_zeros = sum_of_zeros + zero.to(float32);
  }
  return (sum_of_zeros != 0).to(float32);
}

const Tensor& find(const GradScaler::State& state, std::string_view name) {
  const auto found = std::ranges::find(state, name, &std::pair<std::string, Tensor>::first);
  check(found != state.end(), ErrorKind::Value, "GradScaler: the state has no \"", name, "\"");
  return found->second;
}

}  // namespace

GradScaler::GradScaler(const GradScalerOptions& options) : options_(options) {
  check_options();
  const InterpreterGuard eager(nullptr);
  scale_ = full({}, options.init_scale, {.dtype = float32});
  growth_tracker_ = zeros({}, {.dtype = float32});
}

void GradScaler::check_options() const {
  const auto& [init, growth, backoff, interval, enabled] = options_;
  check(init > 0, ErrorKind::Value, "GradScaler: expected init_scale > 0, got ", init);
  check(growth > 1, ErrorKind::Value, "GradScaler: expected growth_factor > 1, got ", growth);
  check(backoff > 0 && backoff < 1, ErrorKind::Value,
        "GradScaler: expected backoff_factor between 0 and 1, got ", backoff);
  check(interval >= 1, ErrorKind::Value, "GradScaler: expected growth_interval >= 1, got ",
        interval);
}

void GradScaler::place_on(Device device) {
  if (scale_.device() == device || device.kind == Device::Kind::meta) return;
  const InterpreterGuard eager(nullptr);  // also in a trace, which captures what lies there
  scale_ = scale_.to(device);
  growth_tracker_ = growth_tracker_.to(device);
}

Tensor GradScaler::scale(const Tensor& outputs) {
  if (!options_.enabled) return outputs;
  place_on(outputs.device());
  // In float32: a float16 loss times the scale would overflow.
  return (is_half(outputs.dtype()) ? outputs.to(float32) : outputs) *
         scale_.to(outputs.dtype() == float64 ? float64 : float32);
}

GradScaler::Progress& GradScaler::progress_of(const Optimizer& optimizer) {
  const auto found = std::ranges::find(progress_, &optimizer, &Progress::optimizer);
  return found != progress_.end() ? *found : progress_.emplace_back(Progress{&optimizer});
}

void GradScaler::unscale_(Optimizer& optimizer) {
  if (!options_.enabled) return;
  Progress& progress = progress_of(optimizer);
  check(progress.stage != Stage::stepped, ErrorKind::Value,
        "GradScaler: unscale_ was called after step for this optimizer");
  check(progress.stage == Stage::ready, ErrorKind::Value,
        "GradScaler: unscale_ was already called for this optimizer since the last update");
  const NoGradGuard no_grad;
  Tensors gradients;
  for (const Tensor& param : optimizer.parameters()) {
    const Tensor grad = param.grad();
    if (!grad.defined()) continue;
    check(grad.dtype() != float16, ErrorKind::DType,
          "GradScaler: cannot unscale gradients of float16; keep the parameters in float32");
    gradients.push_back(grad.detach());
  }
  check(!gradients.empty(), ErrorKind::Value, "GradScaler: the optimizer has no gradients");
  place_on(gradients.front().device());
  const Tensor inverse = 1 / scale_;
  for (Tensor& g : gradients) g.mul_(inverse.to(g.dtype()));
  progress.found_inf = has_inf(gradients, scale_.device());
  progress.stage = Stage::unscaled;
}

void GradScaler::step(Optimizer& optimizer) {
  if (!options_.enabled) return optimizer.step();
  Progress& progress = progress_of(optimizer);
  check(progress.stage != Stage::stepped, ErrorKind::Value,
        "GradScaler: step was already called for this optimizer since the last update");
  if (progress.stage == Stage::ready) unscale_(optimizer);
  optimizer.step(progress.found_inf);
  progress.stage = Stage::stepped;
}

void GradScaler::update() {
  if (!options_.enabled) return;
  check(!progress_.empty(), ErrorKind::Value, "GradScaler: update expects a step before it");
  const NoGradGuard no_grad;
  Tensor inf = progress_.front().found_inf;
  for (const Progress& p : progress_) inf = maximum(inf, p.found_inf);
  progress_.clear();
  const Tensor failed = inf != 0;
  const Tensor taken = growth_tracker_ + 1;
  const Tensor grows = taken == static_cast<double>(options_.growth_interval);
  const Tensor larger = scale_ * options_.growth_factor;
  const Tensor finite = where(larger - larger == 0, larger, scale_);
  const Tensor smaller = scale_ * options_.backoff_factor;
  scale_.copy_(where(failed, smaller, where(grows, finite, scale_)));
  growth_tracker_.copy_(where(failed, 0, where(grows, 0, taken)));
  found_inf_ = inf;
}

void GradScaler::update(double new_scale) {
  check(new_scale > 0, ErrorKind::Value, "GradScaler: expected a scale > 0, got ", new_scale);
  progress_.clear();
  if (options_.enabled) scale_.fill_(new_scale);
}

double GradScaler::get_scale() const { return options_.enabled ? scale_.item<double>() : 1; }

GradScaler::State GradScaler::state_dict() const {
  const auto number = [](double value) { return full({}, value, {.dtype = float64}); };
  return {{"scale", scale_.cpu().clone()},
          {"growth_factor", number(options_.growth_factor)},
          {"backoff_factor", number(options_.backoff_factor)},
          {"growth_interval", number(static_cast<double>(options_.growth_interval))},
          {"_growth_tracker", growth_tracker_.cpu().clone()}};
}

void GradScaler::load_state_dict(const State& state) {
  GradScalerOptions loaded = options_;
  loaded.growth_factor = find(state, "growth_factor").item<double>();
  loaded.backoff_factor = find(state, "backoff_factor").item<double>();
  loaded.growth_interval = find(state, "growth_interval").item<int64_t>();
  const double scale = find(state, "scale").item<double>();
  const double tracker = find(state, "_growth_tracker").item<double>();
  std::swap(options_, loaded);
  try {
    check_options();
  } catch (...) {
    options_ = loaded;
    throw;
  }
  scale_.fill_(scale);
  growth_tracker_.fill_(tracker);
}

}  // namespace reprise::optim
