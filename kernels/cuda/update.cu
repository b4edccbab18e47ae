// Optimizer steps. A first kernel raises the counts of steps and works out what follows from them,
// one thread for each parameter. Then the dense parameters are cut into chunks, a block for each,
// and go through one launch together however small they are. Tables of them travel in the arguments
// of the kernel, so a graph can capture it all; parameters beyond a table take another launch. What
// does not lie dense takes a launch by itself. Rounding is that of
// kernels/cpu/simd/update.simd.cpp.

#include "../../core/ops/update.h"

#include "launch.cuh"
#include "update.h"
#include "walk.cuh"

namespace reprise {
namespace cuda {
namespace {

constexpr size_t kTableBytes = 3840;  // the arguments of a kernel are 4096 bytes at most
constexpr int64_t kChunk = 4096;      // elements of a block
constexpr int kGrad = 1;              // the operand that is only read

/// The gradient with weight decay.
template <class T>
__device__ T decayed(T grad, T param, T weight_decay) {
  return weight_decay == 0 ? grad : fma(weight_decay, param, grad);
}

/// How SGD moves an element x: parameter, gradient and, with momentum, velocity.
template <class Element, int kOperands>
struct Sgd {
  using T = Element;
  static constexpr int operands = kOperands;

  explicit Sgd(const SgdStep& op)
      : momentum(static_cast<T>(op.momentum)),
        rest(static_cast<T>(1 - op.dampening)),
        weight_decay(static_cast<T>(op.weight_decay)),
        nesterov(op.nesterov) {}

  __device__ void operator()(const StepNumbers& numbers, T (&x)[operands]) const {
    T g = decayed(x[1], x[0], weight_decay);
    if constexpr (operands > 2) {
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
struct Adam {
  using T = Element;
  static constexpr int operands = kOperands;

  explicit Adam(const AdamStep& op)
      : rest1(static_cast<T>(1 - op.beta1)),
        beta2(static_cast<T>(op.beta2)),
        rest2(static_cast<T>(1 - op.beta2)),
        eps(static_cast<T>(op.eps)),
        weight_decay(static_cast<T>(op.weight_decay)) {}

  __device__ void operator()(const StepNumbers& numbers, T (&x)[operands]) const {
    const T g = decayed(x[1], x[0], weight_decay);
    x[2] = fma(g - x[2], rest1, x[2]);
    T v = x[3] = fma(rest2 * g, g, beta2 * x[3]);
    if constexpr (operands > 4) v = x[4] = x[4] > v || x[4] != x[4] ? x[4] : v;
    const T root = fma(sqrt(v), static_cast<T>(numbers.correction), eps);
    x[0] = x[0] - static_cast<T>(numbers.size) * x[2] / root;
  }

  T rest1, beta2, rest2, eps, weight_decay;
};

// ---- counting ---------------------------------------------------------------------------------

struct StepCounts {
  static constexpr size_t most = kTableBytes / sizeof(double*);
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

/// With a learning rate of NaN nothing changes.
__device__ bool is_skipped(const StepNumbers& numbers) { return numbers.step != numbers.step; }

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

// ---- dense parameters -------------------------------------------------------------------------

/// A dense parameter with its gradient and state.
template <class Rule>
struct Part {
  typename Rule::T* operands[Rule::operands];
  int64_t numel;
  unsigned parameter;  // whose numbers are used
  unsigned first_block;
};
template <class Rule>
Part<Rule> part_of(std::span<const View> operands, size_t parameter, unsigned first_block = 0) {
  Part<Rule> part{{}, operands[0].meta->numel(), static_cast<unsigned>(parameter), first_block};
  auto** to = part.operands;
  for (const View& operand : operands) *to++ = operand.as<typename Rule::T>();
  return part;
}

template <class Rule>
struct Parts {
  static constexpr size_t most = kTableBytes / sizeof(Part<Rule>);
  Part<Rule> parts[most];

  /// The part that a block belongs to.
  __device__ const Part<Rule>& of_block(unsigned block, int count) const {
    int low = 0;
    for (int high = count; high - low > 1;) {
      const int middle = (low + high) / 2;
      (parts[middle].first_block <= block ? low : high) = middle;
    }
    return parts[low];
  }
};

/// Elements [begin, end), W at a time; their number is a multiple of W.
template <int W, class Rule>
__device__ void move_elements(const Rule& rule, const StepNumbers& numbers, const Part<Rule>& part,
                              int64_t begin, int64_t end) {
  using Elements = Pack<typename Rule::T, W>;
  for (int64_t i = begin + int64_t{threadIdx.x} * W; i < end; i += int64_t{blockDim.x} * W) {
    Elements all[Rule::operands];
    for (int k = 0; k < Rule::operands; ++k) {
      const auto* place = __builtin_assume_aligned(part.operands[k] + i, sizeof(Elements));
      all[k] = *static_cast<const Elements*>(place);
    }
    for (int lane = 0; lane < W; ++lane) {
      typename Rule::T x[Rule::operands];
      for (int k = 0; k < Rule::operands; ++k) x[k] = all[k].v[lane];
      rule(numbers, x);
      for (int k = 0; k < Rule::operands; ++k) all[k].v[lane] = x[k];
    }
    for (int k = 0; k < Rule::operands; ++k) {
      if (k != kGrad) *reinterpret_cast<Elements*>(part.operands[k] + i) = all[k];
    }
  }
}

template <class Rule>
__device__ bool is_aligned(const Part<Rule>& part) {
  uintptr_t bits = 0;
  for (const auto* operand : part.operands) bits |= reinterpret_cast<uintptr_t>(operand);
  return bits % 16 == 0;
}

template <class Rule>
__global__ void move_parts(const __grid_constant__ Parts<Rule> parts, int count, Rule rule,
                           const StepNumbers* all_numbers) {
  constexpr int W = 16 / sizeof(typename Rule::T);
  const Part<Rule>& part = parts.of_block(blockIdx.x, count);
  const StepNumbers numbers = all_numbers[part.parameter];
  if (is_skipped(numbers)) return;
  const int64_t begin = (blockIdx.x - part.first_block) * kChunk;
  const int64_t end = begin + kChunk < part.numel ? begin + kChunk : part.numel;
  const int64_t whole = is_aligned(part) ? end - (end - begin) % W : begin;
  move_elements<W>(rule, numbers, part, begin, whole);
  move_elements<1>(rule, numbers, part, whole, end);
}

/// Collects parts and launches them, a table at a time.
template <class Rule>
class DenseParts {
 public:
  DenseParts(const Rule& rule, const Launch& l) : rule_(rule), l_(l) {}

  void add(std::span<const View> operands, size_t parameter) {
    if (count_ == Parts<Rule>::most) run();
    const Part<Rule> part = part_of<Rule>(operands, parameter, blocks_);
    if (part.numel == 0) return;
    table_.parts[count_++] = part;
    blocks_ += static_cast<unsigned>((part.numel + kChunk - 1) / kChunk);
  }
  void run() {
    launch(l_.stream, dim3(blocks_), kThreads, move_parts<Rule>, table_, static_cast<int>(count_),
           rule_, static_cast<const StepNumbers*>(l_.workspace));
    count_ = 0;
    blocks_ = 0;
  }

 private:
  Rule rule_;
  const Launch& l_;
  Parts<Rule> table_;
  size_t count_ = 0;
  unsigned blocks_ = 0;
};

// ---- any strides ------------------------------------------------------------------------------

template <class Rule>
__global__ void move_strided(Rule rule, const StepNumbers* numbers, Part<Rule> part,
                             const __grid_constant__ Walk<Rule::operands> walk) {
  if (is_skipped(numbers[part.parameter])) return;
  for (int64_t i = first_index(); i < walk.packs; i += index_step()) {
    const auto places = walk.template find<1>(static_cast<uint32_t>(i));
    typename Rule::T x[Rule::operands];
    for (int k = 0; k < Rule::operands; ++k) x[k] = part.operands[k][places.at[k][0]];
    rule(numbers[part.parameter], x);
    for (int k = 0; k < Rule::operands; ++k) {
      if (k != kGrad) part.operands[k][places.at[k][0]] = x[k];
    }
  }
}

template <class Rule>
void launch_strided(const Rule& rule, const Launch& l, const Part<Rule>& part,
                    const Layout& layout) {
  constexpr int64_t kMostInLaunch = int64_t{1} << 30;  // 32 bits find the place of an element
  for_each_part(layout, kMostInLaunch, [&](const Layout& some) {
    launch(l.stream, blocks_for(some.numel()), kThreads, move_strided<Rule>, rule,
           static_cast<const StepNumbers*>(l.workspace), part, Walk<Rule::operands>(some, 1));
  });
}

/// Runs the rule on all parameters of its element type.
template <class Rule, class Op>
void move_all(const Op& op, const Launch& l) {
  const Rule rule(op);
  DenseParts<Rule> dense(rule, l);
  for (size_t i = 0; (i + 1) * Op::writes_period < l.in.size(); ++i) {
    const auto operands = l.in.subspan(1 + i * Op::writes_period, Rule::operands);
    if (operands[0].meta->dtype != dtype_of<typename Rule::T>()) continue;
    const Layout layout(operands);
    if (layout.is_dense()) {
      dense.add(operands, i);
    } else {
      launch_strided(rule, l, part_of<Rule>(operands, i), layout);
    }
  }
  dense.run();
}

/// The same for float32 and float64.
template <template <class, int> class Rule, int kOperands, class Op>
void move_each_dtype(const Op& op, const Launch& l) {
  move_all<Rule<float, kOperands>>(op, l);
  move_all<Rule<double, kOperands>>(op, l);
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
