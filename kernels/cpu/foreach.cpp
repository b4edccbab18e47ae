// What is done to many tensors in one call. Here each goes through the kernel of the op for one.

#include "../../core/ops/foreach.h"

#include <cmath>

#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/parallel.h"
#include "../foreach_chunks.h"
#include "simd/isa.h"
#include "simd/reduce.h"

namespace reprise {
namespace cpu {
namespace {

template <class T>
const ReduceKernels<T>& kernels() {
  return pick(isa(), sse2::reduce_table, avx2::reduce_table, avx512::reduce_table);
}

/// x = op(x, y).
template <class T>
void update(const T& op, const View& x, const View& y) {
  const View in[] = {x, y};
  op.cpu({in, {&x, 1}, nullptr, {}});
}

/// A number for every element of x, of its dtype.
class Spread {
 public:
  Spread(double value, const Meta& x)
      : meta_(x.shape, Shape::filled(x.shape.dim(), 0), x.dtype),
        float_(static_cast<float>(value)),
        double_(value) {}
  View view() { return {meta_.dtype == float64 ? static_cast<void*>(&double_) : &float_, &meta_}; }

 private:
  Meta meta_;
  float float_;
  double double_;
};

/// The sum of squares of a chunk, or its largest absolute value. The order is that of memory.
template <class T>
double norm_of(const T* x, int64_t n, bool largest) {
  T terms[kForeachChunk];
  for (int64_t i = 0; i < n; ++i) terms[i] = largest ? std::abs(x[i]) : x[i] * x[i];
  return largest ? static_cast<double>(terms[kernels<T>().argmax(terms, n, 1)])
                 : kernels<T>().sum(terms, n, 1);
}

/// Of chunk `at` of a tensor.
double norm_of(const View& x, int64_t at, bool largest) {
  const int64_t begin = at * kForeachChunk;
  const int64_t n = std::min(kForeachChunk, x.meta->numel() - begin);
  return x.meta->dtype == float64 ? norm_of(x.as<const double>() + begin, n, largest)
                                  : norm_of(x.as<const float>() + begin, n, largest);
}

void norms_of_chunks(std::span<const View> in, bool largest, double* norms) {
  for (const View& x : in) {
    const int64_t chunks = foreach_chunks(*x.meta);
    parallel_for(chunks, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) norms[i] = norm_of(x, i, largest);
    });
    norms += chunks;
  }
}

}  // namespace
}  // namespace cpu

void ForeachCopy::cpu(const Launch& l) const {
  for (size_t i = 0; i < l.in.size(); ++i) {
    Copy{dtype}.cpu({l.in.subspan(i, 1), l.out.subspan(i, 1), nullptr, {}});
  }
}

void ForeachAdd::cpu(const Launch& l) const {
  for (size_t i = 0; i < l.in.size(); i += 2) cpu::update(Add{}, l.in[i], l.in[i + 1]);
}

void ForeachFill::cpu(const Launch& l) const {
  for (const View& x : l.in) {
    Full{x.meta->shape, value, x.meta->dtype, {}}.cpu({{}, {&x, 1}, nullptr, {}});
  }
}

void ForeachClamp::cpu(const Launch& l) const {
  for (const View& x : l.in) {
    cpu::update(Maximum{}, x, cpu::Spread(-bound, *x.meta).view());
    cpu::update(Minimum{}, x, cpu::Spread(bound, *x.meta).view());
  }
}

size_t TotalNorm::workspace(std::span<const Meta> in, Device) const {
  int64_t chunks = 0;
  for (const Meta& m : in) chunks += foreach_chunks(m);
  return static_cast<size_t>(chunks) * sizeof(double);
}

void TotalNorm::cpu(const Launch& l) const {
  const auto* end = static_cast<const double*>(l.workspace);
  cpu::norms_of_chunks(l.in, largest, static_cast<double*>(l.workspace));
  for (const View& x : l.in) end += foreach_chunks(*x.meta);
  double norm = 0;
  for (const auto* term = static_cast<const double*>(l.workspace); term != end; ++term) {
    if (!largest) {
      norm += *term;
    } else if (*term > norm || std::isnan(*term)) {
      norm = *term;
    }
  }
  if (!largest) norm = std::sqrt(norm);
  const View& out = l.out[0];
  out.meta->dtype == float64 ? void(*out.as<double>() = norm)
                             : void(*out.as<float>() = static_cast<float>(norm));
}

void ClipWithNorm::cpu(const Launch& l) const {
  const View& norm = l.in[0];
  const double by =
      factor(norm.meta->dtype == float64 ? *norm.as<double>() : double{*norm.as<float>()});
  if (by == 1) return;
  for (const View& x : l.in.subspan(1)) cpu::update(Mul{}, x, cpu::Spread(by, *x.meta).view());
}

}  // namespace reprise
