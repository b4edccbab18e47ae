#pragma once
// The activations of fused ops, by the bodies of the elementwise ops, whose bits they have.

#include "../../core/ops/activation.h"
#include "number.cuh"

namespace reprise::cuda {

template <class T>
__device__ T activated(Activation activation, T x) {
  const Number<T> number{x};
  switch (activation) {
    case Activation::none: break;
    case Activation::relu: return Relu{}.f(number).v;
    case Activation::tanh: return Tanh{}.f(number).v;
    case Activation::sigmoid: return Sigmoid{}.f(number).v;
  }
  return x;
}

}  // namespace reprise::cuda
