#pragma once
// GradScaler: losses scaled up, so that gradients of float16 do not vanish, and steps left out
// whose gradients overflowed. Names and defaults are those of torch.amp.GradScaler, except that
// nothing waits for the device: whether gradients are finite is decided where they lie, so a whole
// step can be compiled (graph/training_step.h).
//
//   scaler.scale(loss).backward();
//   scaler.step(optimizer);
//   scaler.update();

#include <string>
#include <utility>
#include <vector>

#include "optimizer.h"

namespace reprise::optim {

struct GradScalerOptions {
  double init_scale = 65536;
  double growth_factor = 2;        ///< after growth_interval steps in a row that were taken
  double backoff_factor = 0.5;     ///< after one that was left out
  int64_t growth_interval = 2000;  ///< at least 1
  bool enabled = true;             ///< false: everything does as if there were no scaler
};

class REPRISE_API GradScaler {
 public:
  using State = std::vector<std::pair<std::string, Tensor>>;

  /// Value error unless init_scale > 0, growth_factor > 1, 0 < backoff_factor < 1 and
  /// growth_interval >= 1.
  explicit GradScaler(const GradScalerOptions& options = {});

  /// `outputs` times the scale. The first call decides on which device the scale lies.
  Tensor scale(const Tensor& outputs);
  /// The same for each of several losses.
  std::vector<Tensor> scale(const std::vector<Tensor>& outputs);
  /// Divides the gradients by the scale, once before step: for those who want to clip or look at
  /// them. Value error the second time and when there are no gradients, DType error for float16
  /// gradients, which may have overflowed already: keep parameters in float32 and use autocast.
  void unscale_(Optimizer& optimizer);
  /// Unscales, unless that was done, and steps; where a gradient is infinite or NaN nothing
  /// changes.
  void step(Optimizer& optimizer);
  /// Once after all steps: the next scale.
  void update();
  /// Sets the next scale instead. Value error unless it is above 0.
  void update(double new_scale);

  /// Waits for the device.
  double get_scale() const;
  /// 0-dim float32: 1 when a gradient was infinite or NaN before the last update, else 0.
  Tensor found_inf() const { return found_inf_; }
  bool is_enabled() const { return options_.enabled; }

  double get_growth_factor() const { return options_.growth_factor; }
  double get_backoff_factor() const { return options_.backoff_factor; }
  int64_t get_growth_interval() const { return options_.growth_interval; }
  // Of the updates from now on; a step that was compiled goes on with what it knew. Value error as
  // for the constructor.
  void set_growth_factor(double factor);
  void set_backoff_factor(double factor);
  void set_growth_interval(int64_t interval);

  /// "scale", "growth_factor", "backoff_factor", "growth_interval" and "_growth_tracker"; nothing
  /// when switched off.
  State state_dict() const;
  /// Value error for a name that is missing and for values that the constructor would refuse. Does
  /// nothing when switched off.
  void load_state_dict(const State& state);

 private:
  enum class Stage : uint8_t { ready, unscaled, stepped };
  struct Progress {
    const Optimizer* optimizer;
    Stage stage = Stage::ready;
    Tensor found_inf = {};
  };

  void place_on(Device device);
  void set_options(const GradScalerOptions& options);
  Progress& progress_of(const Optimizer& optimizer);

  GradScalerOptions options_;
  Tensor scale_;           // 0-dim float32
  Tensor growth_tracker_;  // 0-dim int32: steps in a row that were taken
  Tensor found_inf_;       // 0-dim float32
  std::vector<Progress> progress_;
};

}  // namespace reprise::optim
