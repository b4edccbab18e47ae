#pragma once
// The matrix of all derivatives of a tensor, row by row through backward.

#include <vector>

#include "../core/tensor.h"

namespace reprise {

/// d output / d input: one row for each element of the output, in row-major order.
struct Jacobian {
  std::vector<double> values;
  int64_t columns;
  double at(int64_t row, int64_t column) const {
    return values[static_cast<size_t>(row * columns + column)];
  }
};

/// The Jacobian of `output` for each input; zeros where the input does not require grad or is not
/// used. The graph of `output` is kept.
std::vector<Jacobian> jacobians(const Tensor& output, const Tensors& inputs);

/// Where element `index`, in row-major order, of a float64 tensor stands.
double* element(const Tensor& x, int64_t index);

}  // namespace reprise
