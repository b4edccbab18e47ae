#include "grad_scaler.h"

#include <algorithm>

#include "../autograd/tape.h"
#include "../core/dispatch.h"
#include "../core/ops.h"
#include "../core/ops/scaling.h"

namespace reprise::optim {
namespace {

/// Divides the gradients by the scale, those of each device in one call. 1 when any is infinite or
/// NaN, else 0, where the scale lies.
Tensor unscale_all(std::vector<Tensor> gradients, const Tensor& scale) {
  Tensor found_inf;
  while (!gradients.empty()) {
    const Device device = gradients.front().device();
    const auto is_there = [&](const Tensor& g) { return g.device() == device; };
    const auto others = std::stable_partition(gradients.begin(), gradients.end(), is_there);
    Tensors in{scale.to(device)};
    for (auto g = gradients.begin(); g != others; ++g) in.push_back(*g);
    const Tensor found = dispatch(Model(Unscale{}), in).front().to(scale.device());
    found_inf = found_inf.defined() ? maximum(found_inf, found) : found;
    gradients.erase(gradients.begin(), others);
  }
  return found_inf;
}

const Tensor& find(const GradScaler::State& state, std::string_view name) {
  const auto found = std::ranges::find(state, name, &std::pair<std::string, Tensor>::first);
  check(found != state.end(), ErrorKind::Value, "GradScaler: the state has no \"", name, "\"");
  return found->second;
}

}  // namespace

GradScaler::GradScaler(const GradScalerOptions& options) {
  set_options(options);
  const InterpreterGuard eager(nullptr);
  scale_ = full({}, options.init_scale, {.dtype = float32});
  growth_tracker_ = zeros({}, {.dtype = int32});
  found_inf_ = zeros({});
}

void GradScaler::set_options(const GradScalerOptions& options) {
  const auto& [init, growth, backoff, interval, enabled] = options;
  check(init > 0, ErrorKind::Value, "GradScaler: expected init_scale > 0, got ", init);
  check(growth > 1, ErrorKind::Value, "GradScaler: expected growth_factor > 1, got ", growth);
  check(backoff > 0 && backoff < 1, ErrorKind::Value,
        "GradScaler: expected backoff_factor between 0 and 1, got ", backoff);
  check(interval >= 1, ErrorKind::Value, "GradScaler: expected growth_interval >= 1, got ",
        interval);
  options_ = options;
}

void GradScaler::set_growth_factor(double factor) {
  GradScalerOptions options = options_;
  options.growth_factor = factor;
  set_options(options);
}
void GradScaler::set_backoff_factor(double factor) {
  GradScalerOptions options = options_;
  options.backoff_factor = factor;
  set_options(options);
}
void GradScaler::set_growth_interval(int64_t interval) {
  GradScalerOptions options = options_;
  options.growth_interval = interval;
  set_options(options);
}

void GradScaler::place_on(Device device) {
  if (scale_.device() == device || device.kind == Device::Kind::meta) return;
  const InterpreterGuard eager(nullptr);  // also in a trace, which captures what lies there
  scale_ = scale_.to(device);
  growth_tracker_ = growth_tracker_.to(device);
  found_inf_ = found_inf_.to(device);
}

Tensor GradScaler::scale(const Tensor& outputs) {
  if (!options_.enabled) return outputs;
  place_on(outputs.device());
  // In float32: a float16 loss times the scale would overflow.
  return (is_half(outputs.dtype()) ? outputs.to(float32) : outputs) *
         scale_.to(outputs.dtype() == float64 ? float64 : float32);
}

std::vector<Tensor> GradScaler::scale(const std::vector<Tensor>& outputs) {
  std::vector<Tensor> scaled;
  for (const Tensor& output : outputs) scaled.push_back(scale(output));
  return scaled;
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
  std::vector<Tensor> gradients;
  for (const Tensor& param : optimizer.parameters()) {
    const Tensor grad = param.grad();
    if (!grad.defined()) continue;
    check(grad.dtype() != float16, ErrorKind::DType,
          "GradScaler: cannot unscale gradients of float16; keep the parameters in float32");
    gradients.push_back(grad.detach());
  }
  check(!gradients.empty(), ErrorKind::Value, "GradScaler: the optimizer has no gradients");
  if (progress_.size() == 1) place_on(gradients.front().device());  // what others found lies there
  progress.found_inf = unscale_all(std::move(gradients), scale_);
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
  const NoGradGuard no_grad;
  Tensor found_inf;
  for (const Progress& p : progress_) {
    if (!p.found_inf.defined()) continue;
    const Tensor found = p.found_inf.to(scale_.device());
    found_inf = found_inf.defined() ? maximum(found_inf, found) : found;
  }
  check(found_inf.defined(), ErrorKind::Value, "GradScaler: update expects a step before it");
  progress_.clear();
  found_inf_.copy_(found_inf);
  const UpdateScale op{options_.growth_factor, options_.backoff_factor, options_.growth_interval};
  dispatch(Model(op), std::array{scale_, growth_tracker_, found_inf});
}

void GradScaler::update(double new_scale) {
  check(new_scale > 0, ErrorKind::Value, "GradScaler: expected a scale > 0, got ", new_scale);
  progress_.clear();
  if (options_.enabled) scale_.fill_(new_scale);
}

double GradScaler::get_scale() const { return options_.enabled ? scale_.item<double>() : 1; }

GradScaler::State GradScaler::state_dict() const {
  if (!options_.enabled) return {};
  const auto number = [](double value) { return full({}, value, {.dtype = float64}); };
  return {{"scale", scale_.cpu().clone()},
          {"growth_factor", number(options_.growth_factor)},
          {"backoff_factor", number(options_.backoff_factor)},
          {"growth_interval", full({}, options_.growth_interval)},
          {"_growth_tracker", growth_tracker_.cpu().clone()}};
}

void GradScaler::load_state_dict(const State& state) {
  if (!options_.enabled) return;
  check(!state.empty(), ErrorKind::Value,
        "GradScaler: the state is empty, as that of a scaler which is switched off");
  GradScalerOptions loaded = options_;
  loaded.growth_factor = find(state, "growth_factor").item<double>();
  loaded.backoff_factor = find(state, "backoff_factor").item<double>();
  loaded.growth_interval = find(state, "growth_interval").item<int64_t>();
  loaded.init_scale = find(state, "scale").item<double>();
  const auto tracker = find(state, "_growth_tracker").item<int64_t>();
  set_options(loaded);
  scale_.fill_(loaded.init_scale);
  growth_tracker_.fill_(tracker);
}

}  // namespace reprise::optim
