#pragma once
// The public functions that make tensors.

#include <algorithm>
#include <functional>
#include <vector>

#include "tensor.h"

namespace reprise {

REPRISE_API Tensor zeros(const Shape& shape, const TensorOptions& options = {});
REPRISE_API Tensor ones(const Shape& shape, const TensorOptions& options = {});
/// Every element `value`; dtype float32 for a float, int64 for an integer, bool for a bool.
REPRISE_API Tensor full(const Shape& shape, Scalar value, const TensorOptions& options = {});
/// Uninitialised.
REPRISE_API Tensor empty(const Shape& shape, const TensorOptions& options = {});
REPRISE_API Tensor zeros_like(const Tensor& x);
REPRISE_API Tensor ones_like(const Tensor& x);
REPRISE_API Tensor empty_like(const Tensor& x);
/// start, start + step, ... below end. Value error when step is 0 or leads away from end.
REPRISE_API Tensor arange(Scalar start, Scalar end, Scalar step = 1,
                          const TensorOptions& options = {});
REPRISE_API Tensor arange(Scalar end, const TensorOptions& options = {});
/// Uniform in [0, 1) and standard normal, from the default generator (manual_seed).
REPRISE_API Tensor rand(const Shape& shape, const TensorOptions& options = {});
REPRISE_API Tensor randn(const Shape& shape, const TensorOptions& options = {});

/// Nested lists of numbers: {{1, 2}, {3, 4}}.
class REPRISE_API NestedList {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> NestedList(T value) : value_(value) {}
  NestedList(std::initializer_list<NestedList> items) : value_(0), items_(items), list_(true) {}

  bool is_list() const { return list_; }
  Scalar value() const { return value_; }
  const std::vector<NestedList>& items() const { return items_; }

 private:
  Scalar value_;
  std::vector<NestedList> items_;
  bool list_ = false;
};
/// A tensor of those values; lists on one level have one length (Shape error). Doubles give
/// float32.
REPRISE_API Tensor tensor(const NestedList& values, const TensorOptions& options = {});
/// The values of a vector, in one dimension.
template <class T>
Tensor tensor(const std::vector<T>& values, const TensorOptions& options = {});
/// A tensor on memory of the caller, row-major; `deleter(data)` runs when the last tensor on it
/// dies.
REPRISE_API Tensor from_blob(void* data, const Shape& shape, const TensorOptions& options = {},
                             std::function<void(void*)> deleter = {});

namespace detail {
/// Memory for values that are known now, also inside a trace.
REPRISE_API Tensor empty_constant(const Shape& shape, DType dtype);
}  // namespace detail

template <class T>
Tensor tensor(const std::vector<T>& values, const TensorOptions& options) {
  Tensor out = detail::empty_constant({static_cast<int64_t>(values.size())}, dtype_of<T>());
  std::copy(values.begin(), values.end(), out.template data<T>());
  const DType fallback = dtype_of<T>() == float64 ? float32 : dtype_of<T>();
  out = out.to(options.dtype.value_or(fallback)).to(options.device);
  if (options.requires_grad) out.requires_grad_();
  return out;
}

}  // namespace reprise
