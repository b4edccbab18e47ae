// Full and Arange: values that depend on the index alone.

#include "../../core/ops/create.h"
#include "../../core/parallel.h"
#include "assign.h"
#include "convert.h"
#include "nest.h"

namespace reprise {
namespace {

template <class T>
T value_of(const Scalar& s) {
  return s.dtype() == float64 ? cpu::convert_value<T>(s.to<double>())
                              : cpu::convert_value<T>(s.to<int64_t>());
}

/// start + i step, exact for integers, which wrap around.
template <class T>
T progression(const Scalar& start, const Scalar& step, int64_t i) {
  if (start.dtype() == float64 || step.dtype() == float64) {
    return cpu::convert_value<T>(start.to<double>() + static_cast<double>(i) * step.to<double>());
  }
  const auto first = static_cast<uint64_t>(start.to<int64_t>());
  const auto by = static_cast<uint64_t>(step.to<int64_t>());
  return cpu::convert_value<T>(static_cast<int64_t>(first + static_cast<uint64_t>(i) * by));
}

}  // namespace

void Full::cpu(const Launch& l) const {
  const View& out = l.out[0];
  visit_any_dtype(dtype, [&]<class T>() {
    const T element = value_of<T>(value);
    if (!out.meta->is_contiguous()) return cpu::assign_value(out, &element);
    parallel_for(out.meta->numel(), cpu::kParallelElements, [&](int64_t begin, int64_t end) {
      std::fill(out.as<T>() + begin, out.as<T>() + end, element);
    });
  });
}

void Arange::cpu(const Launch& l) const {
  visit_any_dtype(dtype, [&]<class T>() {
    T* out = l.out[0].as<T>();
    parallel_for(size, cpu::kParallelElements, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = progression<T>(start, step, i);
    });
  });
}

}  // namespace reprise
