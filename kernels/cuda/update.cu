// Optimizer steps. A first kernel raises the counts of steps and works out what follows from them,
// one thread for each parameter. Then all parameters go through one launch (parts.cuh). Rounding is
// that of kernels/cpu/simd/update.simd.cpp.

#include "../../core/ops/update.h"

#include "parts.cuh"
#include "update.h"

namespace reprise {
namespace cuda {
namespace {

/// What the rules of both optimizers have in common. With a learning rate of NaN nothing changes.
template <class Element, int kOperands>
struct StepRule {
  using T = Element;
  static constexpr int operands = kOperands;
  static constexpr unsigned writes = ~0b10u;  // all but the gradient

  __device__ StepNumbers numbers_of(unsigned parameter) const { return all_numbers[parameter]; }
  __device__ static bool skips(const StepNumbers& numbers) { return numbers.step != numbers.step; }

  const StepNumbers* all_numbers;
};

/// The gradient with weight decay.
template <class T>
__device__ T decayed(T grad, T param, T weight_decay) {
  return weight_decay == 0 ? grad : fma(weight_decay, param, grad);
}

/// How SGD moves an element x: parameter, gradient and, with momentum, velocity.
template <class Element, int kOperands>
struct Sgd : StepRule<Element, kOperands> {
  using T = Element;

  Sgd(const SgdStep& op, const StepNumbers* numbers)
      : StepRule<T, kOperands>{numbers},
        momentum(static_cast<T>(op.momentum)),
        rest(static_cast<T>(1 - op.dampening)),
        weight_decay(static_cast<T>(op.weight_decay)),
        nesterov(op.nesterov) {}

  __device__ void operator()(const StepNumbers& numbers, T (&x)[kOperands]) const {
    T g = decayed(x[1], x[0], weight_decay);
    if constexpr (kOperands > 2) {
      x[2] = numbers.step == 1 ? g : fma(momentum, x[2], rest * g);
      g = nesterov ? fma(momentum, x[2], g) : x[2];
    }
    x[0] = fma(static_cast<T>(-numbers.size), g, x[0]);
  }

  T momentum, rest, weight_decay;
  bool nesterov;
};

/// How Adam moves an element x: parameter, gradient, average, average of squares and, for amsgrad,
/// the largest one.
template <class Element, int kOperands>
struct Adam : StepRule<Element, kOperands> {
  using T = Element;

  Adam(const AdamStep& op, const StepNumbers* numbers)
      : StepRule<T, kOperands>{numbers},
        rest1(static_cast<T>(1 - op.beta1)),
        beta2(static_cast<T>(op.beta2)),
        rest2(static_cast<T>(1 - op.beta2)),
        eps(static_cast<T>(op.eps)),
        weight_decay(static_cast<T>(op.weight_decay)) {}

  __device__ void operator()(const StepNumbers& numbers, T (&x)[kOperands]) const {
    const T g = decayed(x[1], x[0], weight_decay);
    x[2] = fma(g - x[2], rest1, x[2]);
    T v = x[3] = fma(rest2 * g, g, beta2 * x[3]);
    if constexpr (kOperands > 4) v = x[4] = x[4] > v || x[4] != x[4] ? x[4] : v;
    const T root = fma(sqrt(v), static_cast<T>(numbers.correction), eps);
    x[0] = x[0] - static_cast<T>(numbers.size) * x[2] / root;
  }

  T rest1, beta2, rest2, eps, weight_decay;
};

// ---- counting ---------------------------------------------------------------------------------

struct StepCounts {
  static constexpr size_t most = kPartTableBytes / sizeof(double*);
  double* steps[most];
};

__device__ StepNumbers numbers_of(const SgdStep&, double lr, double step) { return {step, lr, 0}; }
__device__ StepNumbers numbers_of(const AdamStep& op, double lr, double step) {
  return {step, lr / (1 - pow(op.beta1, step)), 1 / sqrt(1 - pow(op.beta2, step))};
}

template <class Op>
__global__ void count_steps(const __grid_constant__ StepCounts counts, Op op, const double* lr,
                            StepNumbers* numbers, int64_t n) {
  const int64_t i = first_index();
  if (i >= n) return;
  const bool skipped = *lr != *lr;  // NaN
  numbers[i] = skipped ? StepNumbers{*lr, *lr, 0} : numbers_of(op, *lr, *counts.steps[i] += 1);
}

template <class Op>
void count_all_steps(const Op& op, const Launch& l) {
  const size_t parameters = l.in.size() / Op::writes_period;
  for (size_t first = 0; first < parameters; first += StepCounts::most) {
    StepCounts counts{};
    const size_t n = std::min(StepCounts::most, parameters - first);
    for (size_t i = 0; i < n; ++i) {
      const View& step = l.in[(first + i + 1) * Op::writes_period];
      counts.steps[i] = step.as<double>();
    }
    launch(l.stream, blocks_for(static_cast<int64_t>(n)), kThreads, count_steps<Op>, counts, op,
           l.in[0].as<const double>(), static_cast<StepNumbers*>(l.workspace) + first,
           static_cast<int64_t>(n));
  }
}

/// The same for float32 and float64.
template <template <class, int> class Rule, int kOperands, class Op>
void move_each_dtype(const Op& op, const Launch& l) {
  const auto* numbers = static_cast<const StepNumbers*>(l.workspace);
  move_all(Rule<float, kOperands>(op, numbers), l, Op::writes_period);
  move_all(Rule<double, kOperands>(op, numbers), l, Op::writes_period);
}

}  // namespace
}  // namespace cuda

void SgdStep::cuda(const Launch& l) const {
  cuda::count_all_steps(*this, l);
  momentum > 0 ? cuda::move_each_dtype<cuda::Sgd, 3>(*this, l)
               : cuda::move_each_dtype<cuda::Sgd, 2>(*this, l);
}

void AdamStep::cuda(const Launch& l) const {
  cuda::count_all_steps(*this, l);
  amsgrad ? cuda::move_each_dtype<cuda::Adam, 5>(*this, l)
          : cuda::move_each_dtype<cuda::Adam, 4>(*this, l);
}

}  // namespace reprise
