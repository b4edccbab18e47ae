#include "gradcheck.h"

#include <cmath>

#include "../core/ops.h"
#include "engine.h"
#include "jacobian.h"
#include "tape.h"

namespace reprise {
namespace {

using detail::Differentiable;

/// The outputs that require grad; when there are none, the floating ones, whose gradients are then
/// expected to be zero.
Tensors differentiable_outputs(const Tensors& outputs) {
  Tensors tracked, floating;
  for (const Tensor& t : outputs) {
    if (t.requires_grad()) tracked.push_back(t);
    if (is_floating_point(t.dtype())) floating.push_back(t);
  }
  return tracked.empty() ? floating : tracked;
}

/// Several elements in one place: none of them can be changed alone.
bool overlaps_itself(const Tensor& x) {
  for (size_t d = 0; d < x.shape().size(); ++d) {
    if (x.strides()[d] == 0 && x.shape()[d] > 1) return true;
  }
  return false;
}

std::string place(const Tensor& x, int64_t index) {
  Shape at = x.shape();
  for (size_t d = at.size(); d-- > 0;) {
    at[d] = index % x.shape()[d];
    index /= x.shape()[d];
  }
  return to_string(at);
}

/// Sets one element for its lifetime.
class Nudge {
 public:
  Nudge(double* at, double by) : at_(at), before_(*at) { *at += by; }
  ~Nudge() { *at_ = before_; }
  Nudge(const Nudge&) = delete;
  Nudge& operator=(const Nudge&) = delete;

 private:
  double* at_;
  double before_;
};

struct Fault {
  size_t output, input;
  int64_t row, column;  // elements of output and input
  double expected, got;
};

void check_inputs(const Tensors& inputs) {
  bool any = false;
  for (const Tensor& x : inputs) {
    if (!x.requires_grad()) continue;
    check(x.dtype() == float64, ErrorKind::DType,
          "gradcheck: expected inputs of float64 where grad is required, got ", x.dtype());
    check(x.device() == Device::cpu(), ErrorKind::Device, "gradcheck: expected inputs on cpu, got ",
          x.device());
    any = true;
  }
  check(any, ErrorKind::Value, "gradcheck: expected an input that requires grad, got none");
}

class Checker {
 public:
  Checker(const Differentiable& f, const Tensors& inputs, const GradcheckOptions& options)
      : f_(f), inputs_(inputs), options_(options) {
    const EnableGradGuard guard;
    check_inputs(inputs);
    outputs_ = differentiable_outputs(f(inputs));
    for (const Tensor& y : outputs_) analytical_.push_back(jacobians(y, inputs));
  }

  /// The first gradient that differs when it is computed again.
  std::optional<Fault> find_nondeterminism() const {
    const EnableGradGuard guard;
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const std::vector<Jacobian> again = jacobians(outputs_[o], inputs_);
      for (size_t i = 0; i < inputs_.size(); ++i) {
        for (size_t k = 0; k < again[i].values.size(); ++k) {
          const double a = analytical_[o][i].values[k], b = again[i].values[k];
          const auto at = static_cast<int64_t>(k), columns = again[i].columns;
          if (std::abs(a - b) > options_.nondet_tol)
            return Fault{o, i, at / columns, at % columns, a, b};
        }
      }
    }
    return {};
  }

  /// The first gradient that is not what the differences say.
  std::optional<Fault> find_mismatch() const {
    const EnableGradGuard guard;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!inputs_[i].requires_grad()) continue;
      Tensors inputs = inputs_;
      if (overlaps_itself(inputs[i])) inputs[i] = clone(inputs[i].detach()).requires_grad_();
      for (int64_t column = 0; column < inputs[i].numel(); ++column) {
        if (auto fault = compare_column(inputs, i, column)) return fault;
      }
    }
    return {};
  }

  std::string report(const Fault& fault) const {
    return text("output ", fault.output, " at ", place(outputs_[fault.output], fault.row),
                ", input ", fault.input, " at ", place(inputs_[fault.input], fault.column));
  }

 private:
  Tensors evaluate(const Tensors& inputs, double* at, double by) const {
    const Nudge nudge(at, by);
    Tensors outputs = differentiable_outputs(f_(inputs));
    for (Tensor& y : outputs) y = clone(y.detach());  // it may be a view of the nudged input
    return outputs;
  }

  std::optional<Fault> compare_column(const Tensors& inputs, size_t i, int64_t column) const {
    double* at = element(inputs[i], column);
    const Tensors above = evaluate(inputs, at, options_.eps);
    const Tensors below = evaluate(inputs, at, -options_.eps);
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const std::vector<double> high = above[o].to_vector<double>(),
                                low = below[o].to_vector<double>();
      for (size_t row = 0; row < high.size(); ++row) {
        const double numerical = (high[row] - low[row]) / (2 * options_.eps);
        const double analytical = analytical_[o][i].at(static_cast<int64_t>(row), column);
        const double allowed = options_.atol + options_.rtol * std::abs(numerical);
        if (!(std::abs(analytical - numerical) <= allowed)) {
          return Fault{o, i, static_cast<int64_t>(row), column, numerical, analytical};
        }
      }
    }
    return {};
  }

  const Differentiable& f_;
  const Tensors& inputs_;
  const GradcheckOptions& options_;
  Tensors outputs_;
  std::vector<std::vector<Jacobian>> analytical_;  // of each output, for each input
};

bool passes(std::string_view caller, const Differentiable& f, const Tensors& inputs,
            const GradcheckOptions& options) {
  const Checker checker(f, inputs, options);
  if (const auto fault = checker.find_mismatch()) {
    check(!options.raise_exception, ErrorKind::Autograd, caller, ": ", checker.report(*fault),
          ": analytical ", fault->got, ", numerical ", fault->expected);
    return false;
  }
  if (const auto fault = checker.find_nondeterminism()) {
    check(!options.raise_exception, ErrorKind::Autograd, caller, ": ", checker.report(*fault),
          ": the gradient is not deterministic: first ", fault->expected, ", then ", fault->got);
    return false;
  }
  return true;
}

/// Weights without symmetry, the same in every run.
Tensor made_up_weights(const Tensor& like) {
  Tensor out = empty(like.shape(), {.dtype = float64});
  double* first = out.data<double>();
  for (int64_t i = 0; i < out.numel(); ++i)
    first[i] = 0.5 + std::fmod(0.618034 * double(i + 1), 1.0);
  return out.to(like.dtype()).requires_grad_();
}

}  // namespace

namespace detail {

bool gradcheck(const Differentiable& f, const Tensors& inputs, const GradcheckOptions& options) {
  return passes("gradcheck", f, inputs, options);
}

bool gradgradcheck(const Differentiable& f, const Tensors& inputs, const Tensors& grad_outputs,
                   const GradcheckOptions& options) {
  const EnableGradGuard guard;
  check_inputs(inputs);
  Tensors all = inputs;
  for (const Tensor& g : grad_outputs) all.push_back(g);
  if (grad_outputs.empty()) {
    for (const Tensor& y : differentiable_outputs(f(inputs))) all.push_back(made_up_weights(y));
  }
  const size_t count = inputs.size();
  const auto gradients = [&f, count](const Tensors& in) {
    Tensors tracked;
    for (size_t i = 0; i < count; ++i) {
      if (in[i].requires_grad()) tracked.push_back(in[i]);
    }
    const Tensors outputs = differentiable_outputs(f(Tensors(in.begin(), in.begin() + count)));
    const Tensors found = grad(outputs, tracked,
                               {.grad_outputs = Tensors(in.begin() + count, in.end()),
                                .create_graph = true,
                                .allow_unused = true});
    Tensors defined;
    for (const Tensor& g : found) {
      if (g.defined()) defined.push_back(g);
    }
    return defined;
  };
  return passes("gradgradcheck", gradients, all, options);
}

}  // namespace detail
}  // namespace reprise
