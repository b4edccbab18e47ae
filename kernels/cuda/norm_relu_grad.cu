// FusedBatchNormGrad without a residual: where the ReLU lets a gradient through follows from x,
// which is read anyway.

#include "norm_relu_grad.h"

#include "norm_grad.cuh"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

/// The gradient of a channel whose ReLU is computed again.
template <class T>
struct ReluNormalGrad {
  Normal<T> normal;
  NormalGrad<T> grad;

  __device__ T operator()(const GradPair<T>& v) const {
    return grad({normal(v.x) > T(0) ? v.g : T(0), v.x});
  }
};

template <class T>
struct ReluGradSums : GradSums<T> {
  using Value = GradPair<T>;
  Channels<T> bias;

  ReluGradSums(const Launch& l, const Meta& matrix)
      : GradSums<T>(l, matrix, l.in[0].as<T>()), bias(l.in[5]) {}

  __device__ Normal<T> forward(int64_t c) const {
    return {this->mean[c], this->invstd[c] * this->weight[c], bias[c]};
  }
  __device__ ReluNormalGrad<T> normal(int64_t c) const {
    return {forward(c), GradSums<T>::normal(c)};
  }

  /// With N channels at hand, or one for all that is read.
  template <int N>
  struct Reader : GradSums<T> {
    Normal<T> forward[N] = {};

    __device__ Reader(const ReluGradSums& sums, int64_t channel, int64_t step, int64_t count)
        : GradSums<T>(sums) {
      unrolled<N>([&](int e) {
        if (e < count) forward[e] = sums.forward(channel + e * step);
      });
    }
    __device__ Value relu_grad(const Value& v, int e) const {
      return {forward[N == 1 ? 0 : e](v.x) > T(0) ? v.g : T(0), v.x};
    }
    __device__ Value load(int64_t at, int e = 0) const {
      return relu_grad({this->gy[at], this->x[at]}, e);
    }
    template <int W>
    __device__ void load(Value (&v)[W], int64_t at) const {
      this->read(v, at);
      unrolled<W>([&](int e) { v[e] = relu_grad(v[e], e); });
    }
  };
};

}  // namespace
}  // namespace cuda

void FusedBatchNormGrad::cuda(const Launch& l) const {
  if (residual) return cuda::norm_residual_grad(l);
  const Meta x = cuda::matrix_of(*l.in[1].meta);
  cuda::visit_any_floating(name, x.dtype, [&]<class T>() {
    const cuda::ReluGradSums<T> sums(l, x);
    cuda::run_sums(l, x, sums);
    cuda::run_normalize(l, x, sums);
  });
}

}  // namespace reprise
