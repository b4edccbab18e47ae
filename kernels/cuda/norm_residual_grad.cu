// FusedBatchNormGrad with a residual: the gradient is cut while it is read for the first time, and
// what is left, the gradient of the residual, is written on the way.

#include "norm_grad.cuh"
#include "norm_relu_grad.h"
#include "visit.h"

namespace reprise::cuda {
namespace {

/// The gradient of y, in one part or two, is cut where y is not positive, and kept.
template <class T>
struct ResidualGradSums : GradSums<T> {
  using Value = GradPair<T>;
  const T *y, *more;
  T* g;

  ResidualGradSums(const Launch& l, const Meta& matrix)
      : GradSums<T>(l, matrix, l.in[0].as<T>()),
        y(l.in[5].as<T>()),
        more(l.in.size() > 6 ? l.in[6].as<T>() : nullptr),
        g(l.out[3].as<T>()) {}

  bool is_aligned_to(size_t bytes) const {
    return GradSums<T>::is_aligned_to(bytes) && is_aligned(y, bytes) && is_aligned(more, bytes) &&
           is_aligned(g, bytes);
  }
  __device__ Value load(int64_t at, int = 0) const {
    Value v[1];
    load(v, at);
    return v[0];
  }
  template <int W>
  __device__ void load(Value (&v)[W], int64_t at) const {
    using A = Acc<T>;
    T cut[W], of[W];
    this->read(v, at);
    load_pack(of, y + at);
    unrolled<W>([&](int e) { cut[e] = v[e].g; });
    if (more != nullptr) {
      T second[W];
      load_pack(second, more + at);
      unrolled<W>([&](int e) {
        cut[e] = static_cast<T>(static_cast<A>(cut[e]) + static_cast<A>(second[e]));
      });
    }
    unrolled<W>([&](int e) { v[e].g = cut[e] = of[e] > T(0) ? cut[e] : T(0); });
    store_pack(g + at, cut);
  }
};

}  // namespace

void norm_residual_grad(const Launch& l) {
  const Meta x = matrix_of(*l.in[1].meta);
  visit_any_floating(FusedBatchNormGrad::name, x.dtype, [&]<class T>() {
    run_sums(l, x, ResidualGradSums<T>(l, x));
    run_normalize(l, x, GradSums<T>(l, x, l.out[3].as<T>()));
  });
}

}  // namespace reprise::cuda
