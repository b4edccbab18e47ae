#pragma once
// Rows of core/ops/scaling.h: called on copies, for they write what they are given.

#include "../../core/ops/scaling.h"
#include "update_rows.h"

namespace reprise::op_rows {

inline constexpr double kScale = 8;

inline OpRow unscale_row(std::string name, const std::vector<Shape>& gradients) {
  OpRow row = update_row(std::move(name), {}, {});
  for (const Shape& shape : gradients) row.operands.push_back({shape});
  row.sizes = elementwise_sizes(row.operands);
  row.unit = kScale;
  row.f = [](const Tensors& in) {
    Tensors out = copies(in), operands{full({}, kScale, {.device = in[0].device()})};
    for (const Tensor& gradient : out) operands.push_back(gradient);
    out.push_back(dispatch(Model(Unscale{}), operands).front().to(in[0].dtype()));
    return out;
  };
  row.reference = [](const Arrays& in) {
    Arrays out = in;
    Array found_inf(Shape{}, 0);
    for (Array& gradient : out) {
      for (double& g : gradient.values) {
        g /= kScale;
        if (!std::isfinite(g)) found_inf.values[0] = 1;
      }
    }
    out.push_back(std::move(found_inf));
    return out;
  };
  return row;
}

REPRISE_ROW(Unscale, unscale_row("unscale", {{4, 15}}),
            unscale_row("unscale_many", {{4, 15}, {7}, {2, 3, 4}}))

/// What becomes of the scale and the tracker, when one more step makes an interval of three.
struct ScaleCase {
  double scale, tracker, found_inf, next_scale, next_tracker;
};
inline constexpr ScaleCase kScaleCases[] = {{8, 1, 0, 8, 2}, {8, 2, 0, 32, 0}, {8, 2, 1, 2, 0}};

REPRISE_ROW(UpdateScale, [] {
  OpRow row = update_row("update_scale", {{}}, {});
  row.operands.resize(1);  // says only where
  row.sizes.assign(3, row.operands);
  row.propagates_nan = false;
  row.f = [](const Tensors& in) {
    const Device device = in[0].device();
    const UpdateScale op{.growth_factor = 4, .backoff_factor = 0.25, .growth_interval = 3};
    Tensors out;
    for (const ScaleCase& c : kScaleCases) {
      const Tensor scale = full({}, c.scale, {.device = device});
      const Tensor tracker = full({}, c.tracker, {.dtype = int32, .device = device});
      dispatch(Model(op), std::array{scale, tracker, full({}, c.found_inf, {.device = device})});
      out.push_back(scale.to(in[0].dtype()));
      out.push_back(tracker.to(in[0].dtype()));
    }
    return out;
  };
  row.reference = [](const Arrays&) {
    Arrays out;
    for (const ScaleCase& c : kScaleCases) {
      for (const double value : {c.next_scale, c.next_tracker}) {
        out.emplace_back(Shape{}, static_cast<double>(static_cast<float>(value)));
      }
    }
    return out;
  };
  return row;
}())

}  // namespace reprise::op_rows
