#include "norm_grad.cuh"

#include "../../core/ops/norm.h"
#include "visit.h"
#include "workspaces.h"

namespace reprise {
namespace cuda {

size_t batch_norm_workspace(const Meta& x) {
  static_assert(sizeof(Products) == 4 * sizeof(double));  // as the states of BatchNorm
  return static_cast<size_t>(x.shape[1]) * sizeof(Drift<double>) +
         reduction_workspace(matrix_of(x), batch_dims(), sizeof(Products));
}

}  // namespace cuda

void BatchNormGrad::cuda(const Launch& l) const {
  const Meta x = cuda::matrix_of(*l.in[1].meta);
  cuda::visit_any_floating(name, x.dtype, [&]<class T>() {
    const cuda::GradSums<T> sums(l, x, l.in[0].as<T>());
    cuda::run_sums(l, x, sums);
    cuda::run_normalize(l, x, sums);
  });
}

}  // namespace reprise
