#pragma once
// A tensor made by hand, and kernels called on it without dispatch.

#include <memory>
#include <vector>

#include "../../core/op.h"

namespace reprise {

/// Values with a shape. `order` says in which order the dimensions lie in memory, outermost first.
template <class T>
struct Operand {
  // vector<bool> has no elements; a byte of 0 or 1 is a bool.
  using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

  explicit Operand(const Shape& shape, const Shape& order = {})
      : meta(shape, dtype_of<T>()), values(static_cast<size_t>(shape.numel())) {
    int64_t step = 1;
    for (size_t i = order.size(); i-- > 0;) {
      const auto d = static_cast<size_t>(order[i]);
      meta.strides[d] = step;
      step *= shape[d];
    }
  }

  int64_t numel() const { return meta.numel(); }
  /// Element i in row-major order, wherever it lies.
  Stored& operator[](int64_t i) { return values[position(i)]; }
  const Stored& operator[](int64_t i) const { return values[position(i)]; }
  View view() const { return {const_cast<Stored*>(values.data()), &meta}; }

  Meta meta;
  std::vector<Stored> values;

 private:
  size_t position(int64_t i) const {
    int64_t at = 0;
    for (size_t d = meta.shape.size(); d-- > 0; i /= meta.shape[d]) {
      at += i % meta.shape[d] * meta.strides[d];
    }
    return static_cast<size_t>(at);
  }
};

/// Runs the kernel of `op` on `in`, into `out`.
template <class Op, class Out, class... In>
void run_kernel(const Op& op, Operand<Out>& out, const Operand<In>&... in) {
  const std::array<View, sizeof...(In)> inputs{in.view()...};
  const std::array<View, 1> outputs{out.view()};
  op.cpu({.in = inputs, .out = outputs, .workspace = nullptr, .stream = {}});
}

}  // namespace reprise
