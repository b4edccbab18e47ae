#pragma once
// Elements of 16 bits as the bodies of elementwise ops see them: as float, rounded where they are
// kept. NVRTC compiles the file too.

#include "../../core/half.h"
#include "number.cuh"

namespace reprise::cuda {

REPRISE_HD inline Number<float> operand(Half x) { return {static_cast<float>(x)}; }
REPRISE_HD inline Number<float> operand(BFloat16 x) { return {static_cast<float>(x)}; }

/// `converted` to and from any dtype.
template <class To, class From>
REPRISE_HD To converted_any(From x) {
  if constexpr (kSame<To, From>) {
    return x;
  } else if constexpr (kSame<To, Half> || kSame<To, BFloat16>) {
    return static_cast<To>(x);
  } else if constexpr (kSame<From, Half> || kSame<From, BFloat16>) {
    return converted<To>(static_cast<float>(x));
  } else {
    return converted<To>(x);
  }
}

}  // namespace reprise::cuda
