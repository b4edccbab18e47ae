#include "init.h"

#include <cmath>

#include "../autograd/tape.h"
#include "../core/dispatch.h"
#include "../core/ops/random.h"

namespace reprise::nn::init {
namespace {

// Memory that exists is initialised at once, also inside a trace: it is made once.
Tensor fill_random(const Tensor& x, bool normal, double a, double b) {
  check(x.has_data() && is_floating_point(x.dtype()), ErrorKind::DType,
        "init: expected a tensor of a floating-point dtype with data");
  const NoGradGuard no_grad;
  const InterpreterGuard eager(x.is_traced() ? interpreter() : nullptr);
  const Tensor blocks = reprise::apply(RandomBlocks{x.numel(), x.device()});
  Tensor target = x;
  target.copy_(reprise::apply(Random{x.shape(), x.dtype(), normal, a, b}, blocks));
  return x;
}

double kaiming_deviation(const Tensor& x, KaimingOptions options) {
  const Fans f = fans(x);
  const auto fan = static_cast<double>(options.mode == FanMode::in ? f.in : f.out);
  return std::sqrt(2.0 / (1 + options.a * options.a) / fan);
}

double xavier_deviation(const Tensor& x, double gain) {
  const Fans f = fans(x);
  return gain * std::sqrt(2.0 / static_cast<double>(f.in + f.out));
}

/// Half the width of a centred uniform distribution of that deviation.
double half_width(double deviation) { return std::sqrt(3.0) * deviation; }

Tensor centred_uniform(const Tensor& x, double bound) { return uniform_(x, -bound, bound); }

}  // namespace

Fans fans(const Tensor& weight) {
  check(weight.dim() >= 2, ErrorKind::Shape,
        "init: expected a weight of at least two dimensions, got ", weight.shape());
  int64_t window = 1;
  for (int d = 2; d < weight.dim(); ++d) window *= weight.size(d);
  return {weight.size(1) * window, weight.size(0) * window};
}

Tensor constant_(const Tensor& x, double value) {
  const NoGradGuard no_grad;
  const InterpreterGuard eager(x.is_traced() ? interpreter() : nullptr);
  Tensor target = x;
  target.fill_(value);
  return x;
}

Tensor zeros_(const Tensor& x) { return constant_(x, 0); }
Tensor ones_(const Tensor& x) { return constant_(x, 1); }

Tensor uniform_(const Tensor& x, double low, double high) {
  check(low <= high, ErrorKind::Value, "init.uniform_: expected low <= high, got ", low, " and ",
        high);
  return fill_random(x, false, low, high);
}

Tensor normal_(const Tensor& x, double mean, double deviation) {
  check(deviation >= 0, ErrorKind::Value, "init.normal_: expected a deviation >= 0, got ",
        deviation);
  return fill_random(x, true, mean, deviation);
}

Tensor kaiming_uniform_(const Tensor& x, KaimingOptions options) {
  return centred_uniform(x, half_width(kaiming_deviation(x, options)));
}

Tensor kaiming_normal_(const Tensor& x, KaimingOptions options) {
  return normal_(x, 0, kaiming_deviation(x, options));
}

Tensor xavier_uniform_(const Tensor& x, double gain) {
  return centred_uniform(x, half_width(xavier_deviation(x, gain)));
}

Tensor xavier_normal_(const Tensor& x, double gain) {
  return normal_(x, 0, xavier_deviation(x, gain));
}

void reset_weight_and_bias(const Tensor& weight, const Tensor& bias) {
  kaiming_uniform_(weight, {.a = std::sqrt(5.0)});
  if (bias.defined()) centred_uniform(bias, 1 / std::sqrt(static_cast<double>(fans(weight).in)));
}

}  // namespace reprise::nn::init
