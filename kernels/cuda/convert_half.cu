// Conversions from and to 16 bits, which compute as floats do.

#include "assign.h"
#include "half_number.cuh"
#include "map.cuh"

namespace reprise::cuda {
namespace {

template <class To>
struct Rounded {
  template <int V, class From>
  __device__ Pack<To, V> operator()(const Pack<From, V>& x) const {
    Pack<To, V> y;
    for (int i = 0; i < V; ++i) y.v[i] = converted_any<To>(x.v[i]);
    return y;
  }
};

}  // namespace

void convert_half(Stream stream, const View& to, const View& from) {
  visit_any_dtype(to.meta->dtype, [&]<class To>() {
    visit_any_dtype(from.meta->dtype, [&]<class T>() {
      using From = std::conditional_t<kSame<T, bool>, uint8_t, T>;
      if constexpr (is_half_type<To> != is_half_type<T> || (is_half_type<T> && !kSame<To, T>))
        map<To, From>(stream, Rounded<To>{}, to, from);
    });
  });
}

}  // namespace reprise::cuda
