#pragma once
// Initial values, written in place without history. Names and formulas are those of torch.nn.init;
// random numbers come from the default generator (manual_seed).

#include "../core/tensor.h"

namespace reprise::nn::init {

/// How many inputs feed one output of a weight [out, in, ...] and how many outputs one input feeds.
/// Shape error below two dimensions.
struct Fans {
  int64_t in, out;
};
REPRISE_API Fans fans(const Tensor& weight);

enum class FanMode : uint8_t { in, out };

/// The nonlinearity is a leaky ReLU of slope `a`: gain = sqrt(2 / (1 + a^2)).
struct KaimingOptions {
  double a = 0;
  FanMode mode = FanMode::in;
};

REPRISE_API Tensor constant_(const Tensor& x, double value);
REPRISE_API Tensor zeros_(const Tensor& x);
REPRISE_API Tensor ones_(const Tensor& x);
/// Uniform in [low, high).
REPRISE_API Tensor uniform_(const Tensor& x, double low = 0, double high = 1);
REPRISE_API Tensor normal_(const Tensor& x, double mean = 0, double deviation = 1);
/// Uniform in +-gain sqrt(3 / fan) and normal of deviation gain / sqrt(fan) (He et al., 2015).
REPRISE_API Tensor kaiming_uniform_(const Tensor& x, KaimingOptions options = {});
REPRISE_API Tensor kaiming_normal_(const Tensor& x, KaimingOptions options = {});
/// Uniform in +-gain sqrt(6 / (fan_in + fan_out)) and normal of deviation
/// gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
REPRISE_API Tensor xavier_uniform_(const Tensor& x, double gain = 1);
REPRISE_API Tensor xavier_normal_(const Tensor& x, double gain = 1);

/// What PyTorch gives Linear and Conv2d: both uniform in +-1 / sqrt(fan_in of the weight). The bias
/// may be undefined.
REPRISE_API void reset_weight_and_bias(const Tensor& weight, const Tensor& bias);

}  // namespace reprise::nn::init
