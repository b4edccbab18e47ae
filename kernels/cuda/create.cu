// Full and Arange: values that depend on the index alone.

#include "../../core/ops/create.h"

#include "assign.h"
#include "map.cuh"
#include "number.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class T, class Number>
REPRISE_HD T element_of(Number x) {
  if constexpr (is_half_type<T>)
    return static_cast<T>(x);
  else
    return converted<T>(x);
}

/// start + i step, exact for integers, which wrap around.
template <class T>
struct Progression {
  bool real;
  double start, step;
  uint64_t whole_start, whole_step;

  Progression(const Scalar& first, const Scalar& by)
      : real(first.dtype() == float64 || by.dtype() == float64),
        start(first.to<double>()),
        step(by.to<double>()),
        whole_start(static_cast<uint64_t>(first.to<int64_t>())),
        whole_step(static_cast<uint64_t>(by.to<int64_t>())) {}

  __device__ T at(int64_t i) const {
    if (real) return element_of<T>(start + static_cast<double>(i) * step);
    const uint64_t whole = whole_start + static_cast<uint64_t>(i) * whole_step;
    return element_of<T>(static_cast<int64_t>(whole));
  }
  template <int V>
  __device__ Pack<T, V> operator()(const Pack<int64_t, V>& index) const {
    Pack<T, V> x;
    for (int i = 0; i < V; ++i) x.v[i] = at(index.v[i]);
    return x;
  }
};

}  // namespace
}  // namespace cuda

void Full::cuda(const Launch& l) const {
  visit_any_dtype(dtype, [&]<class T>() {
    const T element = value.dtype() == float64 ? cuda::element_of<T>(value.to<double>())
                                               : cuda::element_of<T>(value.to<int64_t>());
    cuda::assign_value(l.stream, l.out[0], &element);
  });
}

void Arange::cuda(const Launch& l) const {
  const Meta index(l.out[0].meta->shape, int64);
  visit_any_dtype(dtype, [&]<class T>() {
    cuda::map<T, cuda::Index>(l.stream, cuda::Progression<T>(start, step), l.out[0],
                              View{nullptr, &index});
  });
}

}  // namespace reprise
