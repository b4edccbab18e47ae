#pragma once
// The value of an element as another dtype. Floats are cut towards zero; what does not fit an
// integer becomes its nearest bound and NaN becomes 0, so that no machine's own answer shows.
// Integers wrap around. bool is "not zero".

#include <cstdint>
#include <limits>
#include <type_traits>

#include "../../core/half.h"

namespace reprise::cpu {

template <class To, class From>
To convert_value(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);  // NaN is not zero
  } else if constexpr (is_half_type<From> && !std::is_floating_point_v<To>) {
    return convert_value<To>(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr auto low = static_cast<From>(std::numeric_limits<To>::min());
    constexpr auto beyond = static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * 2;
    if (!(x > low)) return x != x ? To(0) : std::numeric_limits<To>::min();
    return x < beyond ? static_cast<To>(x) : std::numeric_limits<To>::max();
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace reprise::cpu
