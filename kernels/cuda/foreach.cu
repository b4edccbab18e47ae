// What is done to many tensors in one call: in few launches (parts.cuh).

#include "../../core/ops/foreach.h"

#include "../../core/half.h"
#include "../../core/ops/create.h"
#include "../foreach_chunks.h"
#include "acc.cuh"
#include "assign.h"
#include "half_number.cuh"
#include "parts.cuh"
#include "warp.cuh"

namespace reprise {
namespace cuda {
namespace {

/// A rule whose elements share nothing.
struct EachAlone {
  __device__ int numbers_of(unsigned) const { return 0; }
  __device__ static bool skips(int) { return false; }
};

template <class To, class From>
struct CopyRule : EachAlone {
  using Operands = std::tuple<To, From>;
  static constexpr unsigned writes = 0b1;
  __device__ void operator()(int, To& y, const From& x) const { y = converted_any<To>(x); }
};

template <class T, class Y>
struct AddRule : EachAlone {
  using Operands = std::tuple<T, Y>;
  static constexpr unsigned writes = 0b1;
  __device__ void operator()(int, T& x, const Y& y) const {
    x = static_cast<T>(static_cast<Acc<T>>(x) + static_cast<Acc<T>>(y));
  }
};

template <class T>
struct FillRule : EachAlone {
  using Operands = std::tuple<T>;
  static constexpr unsigned writes = 0b1;
  explicit FillRule(double number) : value(static_cast<T>(number)) {}
  __device__ void operator()(int, T& x) const { x = value; }
  T value;
};

template <class T>
struct ClampRule : EachAlone {
  using Operands = std::tuple<T>;
  static constexpr unsigned writes = 0b1;
  explicit ClampRule(double most) : bound(static_cast<Acc<T>>(most)) {}
  __device__ void operator()(int, T& x) const {
    const auto v = static_cast<Acc<T>>(x), raised = v > -bound || v != v ? v : -bound;
    x = static_cast<T>(raised < bound || raised != raised ? raised : bound);
  }
  Acc<T> bound;
};

template <class T>
struct ClipRule {
  using Operands = std::tuple<T>;
  static constexpr unsigned writes = 0b1;
  using A = Acc<T>;
  __device__ A numbers_of(unsigned) const {
    const double value =
        wide ? *static_cast<const double*>(norm) : *static_cast<const float*>(norm);
    return static_cast<A>(op.factor(value));
  }
  __device__ static bool skips(A factor) { return factor == 1; }
  __device__ void operator()(A factor, T& x) const {
    x = static_cast<T>(static_cast<A>(x) * factor);
  }
  ClipWithNorm op;
  const void* norm;
  bool wide;  // the norm is float64
};

// ---- the norm ---------------------------------------------------------------------------------

/// The sum of squares or the largest absolute value of a part of all elements.
struct NormTerms {
  template <class A>
  __device__ A of(A x) const {
    return !largest ? x * x : x <= 0 ? 0 - x : x;
  }
  template <class A>
  __device__ A operator()(A a, A b) const {
    return !largest ? a + b : a > b || a != a ? a : b;
  }
  bool largest;
};

/// What the elements of a chunk come to is joined across the block that takes it.
template <class T>
struct NormRule {
  using Operands = std::tuple<T>;
  static constexpr unsigned writes = 0;
  using A = Acc<T>;
  struct State {
    A value;
  };
  __device__ State numbers_of(unsigned) const { return {0}; }
  __device__ static bool skips(const State&) { return false; }
  __device__ void operator()(State& state, const T& x) const {
    state.value = terms(state.value, terms.of(static_cast<A>(x)));
  }
  /// A tensor's `parameter` is the number of chunks before it.
  __device__ void finish(const State& state, unsigned chunk) const {
    const A all = block_reduce(state.value, A{0}, terms);
    if (threadIdx.x == 0) chunks[chunk] = static_cast<double>(all);
  }
  NormTerms terms;
  double* chunks;
};

template <class T>
__global__ void join_chunks(NormTerms terms, const double* chunks, int64_t n, T* norm) {
  double all = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) all = terms(all, chunks[i]);
  all = block_reduce(all, 0.0, terms);
  if (threadIdx.x == 0) *norm = static_cast<T>(terms.largest ? all : std::sqrt(all));
}

template <class T>
void norms_of_chunks(const Launch& l, NormTerms terms) {
  DenseParts<NormRule<T>> parts({terms, static_cast<double*>(l.workspace)}, l.stream);
  int64_t before = 0;
  for (const View& x : l.in) {
    if (x.meta->dtype == dtype_of<T>()) parts.add(std::span(&x, 1), static_cast<size_t>(before));
    before += foreach_chunks(*x.meta);
  }
  parts.run();
}

template <class T>
void join_all_chunks(const Launch& l, NormTerms terms) {
  int64_t chunks = 0;
  for (const View& x : l.in) chunks += foreach_chunks(*x.meta);
  launch(l.stream, 1, 1024, join_chunks<T>, terms, static_cast<const double*>(l.workspace), chunks,
         l.out[0].as<T>());
}

// ---- which rules ------------------------------------------------------------------------------

/// Rule<T>(arguments...) for tensors of each floating type; the first is input `first`.
template <template <class> class Rule, class... Arguments>
void move_each_dtype(const Launch& l, size_t first, const Arguments&... arguments) {
  move_all(Rule<float>{arguments...}, l, first, 1);
  move_all(Rule<double>{arguments...}, l, first, 1);
  move_all(Rule<Half>{arguments...}, l, first, 1);
  move_all(Rule<BFloat16>{arguments...}, l, first, 1);
}

/// Whether a copy goes through one launch with others.
bool is_collected(const View& to, const View& from) {
  const DType a = to.meta->dtype, b = from.meta->dtype;
  const View operands[] = {to, from};
  return ((a == float32 && is_half(b)) || (is_half(a) && b == float32)) &&
         Layout(operands).is_dense();
}

template <class To, class From>
void copy_together(const Launch& l) {
  using Rule = CopyRule<To, From>;
  DenseParts<Rule> parts({}, l.stream);
  for (size_t i = 0; i < l.in.size(); ++i) {
    const View operands[] = {l.out[i], l.in[i]};
    if (has_elements_of<Rule>(operands, OperandIndices<Rule>()) && is_collected(l.out[i], l.in[i]))
      parts.add(operands, i);
  }
  parts.run();
}

}  // namespace
}  // namespace cuda

void ForeachCopy::cuda(const Launch& l) const {
  for (size_t i = 0; i < l.in.size(); ++i) {
    if (!cuda::is_collected(l.out[i], l.in[i])) cuda::assign(l.stream, l.out[i], l.in[i]);
  }
  cuda::copy_together<Half, float>(l);
  cuda::copy_together<BFloat16, float>(l);
  cuda::copy_together<float, Half>(l);
  cuda::copy_together<float, BFloat16>(l);
}

void ForeachAdd::cuda(const Launch& l) const {
  cuda::move_all(cuda::AddRule<float, float>{}, l, 0, 2);
  cuda::move_all(cuda::AddRule<float, Half>{}, l, 0, 2);
  cuda::move_all(cuda::AddRule<float, BFloat16>{}, l, 0, 2);
  cuda::move_all(cuda::AddRule<double, double>{}, l, 0, 2);
  cuda::move_all(cuda::AddRule<Half, Half>{}, l, 0, 2);
  cuda::move_all(cuda::AddRule<BFloat16, BFloat16>{}, l, 0, 2);
}

void ForeachFill::cuda(const Launch& l) const {
  cuda::move_each_dtype<cuda::FillRule>(l, 0, value);
}

void ForeachClamp::cuda(const Launch& l) const {
  cuda::move_each_dtype<cuda::ClampRule>(l, 0, bound);
}

void TotalNorm::cuda(const Launch& l) const {
  const cuda::NormTerms terms{largest};
  cuda::norms_of_chunks<float>(l, terms);
  cuda::norms_of_chunks<double>(l, terms);
  cuda::norms_of_chunks<Half>(l, terms);
  cuda::norms_of_chunks<BFloat16>(l, terms);
  l.out[0].meta->dtype == float64 ? cuda::join_all_chunks<double>(l, terms)
                                  : cuda::join_all_chunks<float>(l, terms);
}

void ClipWithNorm::cuda(const Launch& l) const {
  const View& norm = l.in[0];
  cuda::move_each_dtype<cuda::ClipRule>(l, 1, *this, norm.as<const void>(),
                                        norm.meta->dtype == float64);
}

}  // namespace reprise
