// LogSoftmaxGather: one pass over x for what its lines need, and one element of each.

#include <cmath>

#include "../../core/ops/fused_loss.h"
#include "index_check.cuh"
#include "power_sums.cuh"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

template <class T>
struct PickedLines : PowerSums<T> {
  using A = Acc<T>;
  const int64_t* index;
  T* picked;
  A *most, *log_sum;
  Offsets<2> places;  // where lines begin in x, and their indices
  int64_t n, step;    // elements of a line in x
  IndexCheck check;

  __device__ void store(int64_t line, const Powers<A>& s) const {
    const auto place = places(line);
    const int64_t at = index[place.of[1]];
    const bool there = at >= 0 && at < n;
    if (!there) check.report(at, line);
    const A log = std::log(s.sum);
    const T* const x = this->x + place.of[0] + at * step;
    picked[line] = static_cast<T>(there ? (static_cast<A>(*x) - s.most) - log : A(0));
    most[line] = s.most;
    log_sum[line] = log;
  }
};

template <class T>
void log_softmax_gather(const Launch& l, int dim) {
  const View &x = l.in[0], &index = l.in[1];
  const auto d = static_cast<size_t>(dim);
  const int64_t n = x.meta->shape[d];
  const auto places = offsets_of<2>(index.meta->shape, {x.meta->strides, index.meta->strides});
  const PickedLines<T> lines{{{x.as<T>()}},
                             index.as<int64_t>(),
                             l.out[0].as<T>(),
                             l.out[1].as<Acc<T>>(),
                             l.out[2].as<Acc<T>>(),
                             places,
                             n,
                             x.meta->strides[d],
                             IndexCheck(index.meta->shape, n)};
  reduce(l.stream, lines, *x.meta, {dim}, l.workspace);
}

}  // namespace
}  // namespace cuda

void LogSoftmaxGather::cuda(const Launch& l) const {
  cuda::visit_any_floating(name, l.in[0].meta->dtype,
                           [&]<class T>() { cuda::log_softmax_gather<T>(l, dim); });
}

}  // namespace reprise
