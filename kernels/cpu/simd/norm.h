#pragma once
// What batch normalisation compiled for each instruction set offers to ../norm.cpp.

#include <cstddef>
#include <cstdint>

namespace reprise::cpu {

/// A matrix within a tensor: rows lie `step` apart, columns side by side.
struct Rows {
  int64_t rows, step, columns;
};

/// y = (x - mean) scale + shift, and what follows: + residual, relu.
template <class T>
struct Affine {
  const T *mean, *scale, *shift, *residual = nullptr;
  bool relu = false;
};
/// g = gy + more where y > 0, else 0. Without y it is what the affine map makes of x.
template <class T>
struct ReluOf {
  const T *gy, *more = nullptr, *y = nullptr, *x = nullptr;
  Affine<T> map = {};
};
/// gx = (gy - offset - (x - mean) slope) scale
template <class T>
struct AffineGrad {
  const T *mean, *scale, *offset, *slope;
};

/// `..._channel`: the whole matrix is one channel, with one parameter each. `..._channels`: each
/// column is a channel, with parameters and sums in arrays. Sums are added to what is there.
template <class T>
struct NormKernels {
  void (*squares_channel)(Rows shape, const T* x, const double* mean, double* sum);
  void (*squares_channels)(Rows shape, const T* x, const double* mean, double* sum);
  /// The sums of gy and of gy (x - mean).
  void (*products_channel)(Rows shape, const T* gy, const T* x, const double* mean, double* sum,
                           double* product);
  void (*products_channels)(Rows shape, const T* gy, const T* x, const double* mean, double* sum,
                            double* product);
  void (*affine_channel)(Rows shape, const T* x, T* y, Affine<T> map);
  void (*affine_channels)(Rows shape, const T* x, T* y, Affine<T> map);
  void (*relu_grad_channel)(Rows shape, ReluOf<T> of, T* g);
  void (*relu_grad_channels)(Rows shape, ReluOf<T> of, T* g);
  void (*affine_grad_channel)(Rows shape, const T* gy, const T* x, T* gx, AffineGrad<T> map);
  void (*affine_grad_channels)(Rows shape, const T* gy, const T* x, T* gx, AffineGrad<T> map);
};

struct NormTable : NormKernels<float>, NormKernels<double> {};

namespace sse2 {
extern const NormTable norm_table;
}
namespace avx2 {
extern const NormTable norm_table;
}
namespace avx512 {
extern const NormTable norm_table;
}

}  // namespace reprise::cpu
