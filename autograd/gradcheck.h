#pragma once
// Gradients compared with central differences, (f(x + eps) - f(x - eps)) / (2 eps), in float64.

#include <functional>
#include <type_traits>

#include "../core/tensor.h"

namespace reprise {

/// Two numbers agree when |analytical - numerical| <= atol + rtol |numerical|.
struct GradcheckOptions {
  double eps = 1e-6, atol = 1e-5, rtol = 1e-3;
  bool raise_exception = true;  ///< an Autograd error with the report instead of false
  double nondet_tol = 0;        ///< how far the same gradient computed twice may be apart
};

namespace detail {

using Differentiable = std::function<Tensors(const Tensors&)>;

REPRISE_API bool gradcheck(const Differentiable& f, const Tensors& inputs,
                           const GradcheckOptions& options);
REPRISE_API bool gradgradcheck(const Differentiable& f, const Tensors& inputs,
                               const Tensors& grad_outputs, const GradcheckOptions& options);

template <class F>
Differentiable as_differentiable(const F& f) {
  if constexpr (std::is_same_v<std::invoke_result_t<F, const Tensors&>, Tensor>) {
    return [f](const Tensors& in) { return Tensors{f(in)}; };
  } else {
    return f;
  }
}

}  // namespace detail

/// Whether the gradients of `f` (Tensors in, Tensor or Tensors out) are right for every element of
/// every input that requires grad. Those must be float64 on the CPU (DType, Device error), at least
/// one of them (Value error); any strides. The report names output, input, element and both
/// numbers.
template <class F>
bool gradcheck(const F& f, const Tensors& inputs, const GradcheckOptions& options = {}) {
  return detail::gradcheck(detail::as_differentiable(f), inputs, options);
}

/// The same for the gradients of the gradients. `grad_outputs`, one for each output that requires
/// grad, weigh the outputs; when there are none, fixed ones are made up.
template <class F>
bool gradgradcheck(const F& f, const Tensors& inputs, const Tensors& grad_outputs = {},
                   const GradcheckOptions& options = {}) {
  return detail::gradgradcheck(detail::as_differentiable(f), inputs, grad_outputs, options);
}

}  // namespace reprise
