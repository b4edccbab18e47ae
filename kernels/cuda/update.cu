// Optimizer steps. A first kernel raises the counts of steps and works out what follows from them,
// one thread for each parameter. Then all parameters go through one launch (parts.cuh). Rounding is
// that of kernels/cpu/simd/update.simd.cpp; elements of 16 bits are computed in float.

#include "../../core/ops/update.h"

#include "../../core/half.h"
#include "acc.cuh"
#include "parts.cuh"
#include "update.h"

namespace reprise {
namespace cuda {
namespace {

// The global ones of a host are those of double.
__device__ float fma(float x, float y, float z) { return ::fmaf(x, y, z); }
__device__ double fma(double x, double y, double z) { return ::fma(x, y, z); }
__device__ float sqrt(float x) { return ::sqrtf(x); }
__device__ double sqrt(double x) { return ::sqrt(x); }

/// What the rules of both optimizers have in common: elements of a parameter and of its state, of
/// type T, and of its gradient, of type G. With a learning rate of NaN nothing changes.
template <class T, class G>
struct StepRule {
  using A = Acc<T>;                           // arithmetic; what is stored is rounded once
  static constexpr unsigned writes = ~0b10u;  // all but the gradient

  __device__ StepNumbers numbers_of(unsigned parameter) const { return all_numbers[parameter]; }
  __device__ static bool skips(const StepNumbers& numbers) { return numbers.step != numbers.step; }
  /// The gradient with weight decay.
  __device__ A decayed(const G& grad, A param) const {
    const auto g = static_cast<A>(grad);
    return weight_decay == 0 ? g : fma(weight_decay, param, g);
  }

  const StepNumbers* all_numbers;
  A weight_decay;
};

/// How SGD moves a parameter, with a velocity where it has momentum.
template <class T, class G, class... Velocity>
struct Sgd : StepRule<T, G> {
  using Operands = std::tuple<T, G, Velocity...>;
  using A = Acc<T>;

  Sgd(const SgdStep& op, const StepNumbers* numbers)
      : StepRule<T, G>{numbers, static_cast<A>(op.weight_decay)},
        momentum(static_cast<A>(op.momentum)),
        rest(static_cast<A>(1 - op.dampening)),
        nesterov(op.nesterov) {}

  __device__ void operator()(const StepNumbers& numbers, T& param, const G& grad,
                             Velocity&... velocity) const {
    const auto p = static_cast<A>(param);
    A g = this->decayed(grad, p);
    ((g = with_momentum(numbers, g, velocity)), ...);
    param = static_cast<T>(fma(static_cast<A>(-numbers.size), g, p));
  }
  __device__ A with_momentum(const StepNumbers& numbers, A g, T& velocity) const {
    const A v = numbers.step == 1 ? g : fma(momentum, static_cast<A>(velocity), rest * g);
    velocity = static_cast<T>(v);
    return nesterov ? fma(momentum, v, g) : v;
  }

  A momentum, rest;
  bool nesterov;
};

/// How Adam moves a parameter, its average, that of squares and, for amsgrad, the largest one.
template <class T, class G, class... Largest>
struct Adam : StepRule<T, G> {
  using Operands = std::tuple<T, G, T, T, Largest...>;
  using A = Acc<T>;

  Adam(const AdamStep& op, const StepNumbers* numbers)
      : StepRule<T, G>{numbers, static_cast<A>(op.weight_decay)},
        rest1(static_cast<A>(1 - op.beta1)),
        beta2(static_cast<A>(op.beta2)),
        rest2(static_cast<A>(1 - op.beta2)),
        eps(static_cast<A>(op.eps)) {}

  __device__ void operator()(const StepNumbers& numbers, T& param, const G& grad, T& average,
                             T& squares, Largest&... largest) const {
    const auto p = static_cast<A>(param), before = static_cast<A>(average);
    const A g = this->decayed(grad, p), m = fma(g - before, rest1, before);
    A v = fma(rest2 * g, g, beta2 * static_cast<A>(squares));
    average = static_cast<T>(m);
    squares = static_cast<T>(v);
    ((v = larger(static_cast<A>(largest), v), largest = static_cast<T>(v)), ...);
    const A root = fma(sqrt(v), static_cast<A>(numbers.correction), eps);
    param = static_cast<T>(p - static_cast<A>(numbers.size) * m / root);
  }
  __device__ static A larger(A a, A b) { return a > b || a != a ? a : b; }

  A rest1, beta2, rest2, eps;
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

template <class T, class G>
using SgdWithMomentum = Sgd<T, G, T>;
template <class T, class G>
using PlainSgd = Sgd<T, G>;
template <class T, class G>
using AmsGrad = Adam<T, G, T>;
template <class T, class G>
using PlainAdam = Adam<T, G>;

/// Parameters of all dtypes, those of float32 also with gradients of 16 bits.
template <template <class, class> class Rule, class Op>
void move_each_dtype(const Op& op, const Launch& l) {
  const auto* numbers = static_cast<const StepNumbers*>(l.workspace);
  const auto move = [&](const auto& rule) {
    move_all(rule, l, Op::writes_from, Op::writes_period);
  };
  move(Rule<float, float>(op, numbers));
  move(Rule<float, Half>(op, numbers));
  move(Rule<float, BFloat16>(op, numbers));
  move(Rule<double, double>(op, numbers));
  move(Rule<Half, Half>(op, numbers));
  move(Rule<BFloat16, BFloat16>(op, numbers));
}

}  // namespace
}  // namespace cuda

void SgdStep::cuda(const Launch& l) const {
  cuda::count_all_steps(*this, l);
  momentum > 0 ? cuda::move_each_dtype<cuda::SgdWithMomentum>(*this, l)
               : cuda::move_each_dtype<cuda::PlainSgd>(*this, l);
}

void AdamStep::cuda(const Launch& l) const {
  cuda::count_all_steps(*this, l);
  amsgrad ? cuda::move_each_dtype<cuda::AmsGrad>(*this, l)
          : cuda::move_each_dtype<cuda::PlainAdam>(*this, l);
}

}  // namespace reprise
