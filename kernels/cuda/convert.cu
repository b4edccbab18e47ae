// Conversions between two dtypes, with the results of kernels/cpu/convert.h. A bool converts as the
// byte 0 or 1 that it is.

#include "assign.h"
#include "map.cuh"
#include "number.cuh"

namespace reprise::cuda {
namespace {

template <class To>
struct Converted {
  template <int V, class From>
  __device__ Pack<To, V> operator()(const Pack<From, V>& x) const {
    Pack<To, V> y;
    for (int i = 0; i < V; ++i) y.v[i] = converted<To>(x.v[i]);
    return y;
  }
};

}  // namespace

void convert(Stream stream, const View& to, const View& from) {
  if (is_half(to.meta->dtype) || is_half(from.meta->dtype)) return convert_half(stream, to, from);
  visit_dtype(to.meta->dtype, [&]<class To>() {
    visit_dtype(from.meta->dtype, [&]<class T>() {
      using From = std::conditional_t<kSame<T, bool>, uint8_t, T>;
      map<To, From>(stream, Converted<To>{}, to, from);
    });
  });
}

}  // namespace reprise::cuda
