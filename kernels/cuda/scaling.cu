// What a gradient scaler does on the device: two launches for any number of gradients, and one for
// the next scale. Nothing waits.

#include "../../core/ops/scaling.h"

#include "../../core/half.h"
#include "acc.cuh"
#include "parts.cuh"

namespace reprise {
namespace cuda {
namespace {

/// Divides a gradient by the scale. Whoever meets an infinite or NaN one writes the same 1.
template <class T>
struct UnscaleRule {
  using Operands = std::tuple<T>;
  static constexpr unsigned writes = 0b1;

  __device__ float numbers_of(unsigned) const { return 1 / *scale; }
  __device__ static bool skips(float) { return false; }
  __device__ void operator()(float inverse, T& gradient) const {
    gradient = static_cast<T>(static_cast<Acc<T>>(gradient) * inverse);
    const auto kept = static_cast<Acc<T>>(gradient);
    if (!(kept - kept == 0)) *found_inf = 1;
  }

  const float* scale;
  float* found_inf;
};

__global__ void set_to_zero(float* number) { *number = 0; }

__global__ void update_scale(UpdateScale op, float* scale, int32_t* tracker,
                             const float* found_inf) {
  op(*scale, *tracker, *found_inf != 0);
}

template <class... T>
void unscale_each(const Launch& l) {
  const auto* scale = l.in[0].as<const float>();
  auto* found_inf = l.out[0].as<float>();
  launch(l.stream, 1, 1, set_to_zero, found_inf);
  (move_all(UnscaleRule<T>{scale, found_inf}, l, Unscale::writes_from, Unscale::writes_period),
   ...);
}

}  // namespace
}  // namespace cuda

void Unscale::cuda(const Launch& l) const { cuda::unscale_each<float, double, Half, BFloat16>(l); }

void UpdateScale::cuda(const Launch& l) const {
  cuda::launch(l.stream, 1, 1, cuda::update_scale, *this, l.in[0].as<float>(),
               l.in[1].as<int32_t>(), l.in[2].as<const float>());
}

}  // namespace reprise
