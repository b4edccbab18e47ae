// The gradient of picked log probabilities. Seen along the dimension, y is [outer, n, inner]; the
// exponentials of whole rows go to the output in one loop, which is then scaled and taken from zero
// while it is in the cache, as the single ops would have rounded it.

#include "../../core/ops/fused_loss.h"

#include "../../core/index_error.h"
#include "../../core/parallel.h"
#include "cursor.h"
#include "gather_range.h"
#include "simd/elementwise.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kTaskSize = 1 << 13;  // elements worth a task

template <class T>
struct Problem {
  const View &y, &index, &g;
  T* gx;
  int dim;
  int64_t outer = 1, n = 1, inner = 1;

  Problem(const Launch& l, int along)
      : y(l.in[0]), index(l.in[1]), g(l.in[2]), gx(l.out[0].as<T>()), dim(along) {
    const Shape& shape = y.meta->shape;
    for (int d = 0; d < shape.dim(); ++d) {
      (d < dim ? outer : d == dim ? n : inner) *= shape[static_cast<size_t>(d)];
    }
  }

  /// gx = exp(y) for rows [begin, end) of outer.
  void exponentials(int64_t begin, int64_t end) const {
    const int64_t at = begin * n * inner, count = (end - begin) * n * inner;
    void* operands[] = {gx + at, y.as<T>() + at};
    if (!y.meta->is_contiguous()) {
      gather_range(y, at, count, gx + at);
      operands[1] = gx + at;
    }
    const Exp op;
    elementwise_table().at(ElementwiseIndex::Exp, dtype_of<T>())(&op, count, operands);
  }

  void row(T* to, int64_t picked, T g_at, int64_t stride) const {
    for (int64_t k = 0; k < n; ++k) {
      const T share = to[k * stride] * g_at;
      to[k * stride] = (k == picked ? g_at : T(0)) - share;
    }
  }

  void rows(std::string_view name, int64_t begin, int64_t end) const {
    exponentials(begin, end);
    const Walk<2> walk{index.meta->shape, {index.meta->strides, g.meta->strides}};
    Cursor<2> at(walk, begin * inner);
    for (int64_t i = begin * inner; i < end * inner; ++i, at.next()) {
      const int64_t picked = index.as<int64_t>()[at[0]];
      if (picked < 0 || picked >= n) detail::fail_index(name, dim, 0, n, picked, at.index());
      row(gx + i / inner * n * inner + i % inner, picked, g.as<T>()[at[1]], inner);
    }
  }
};

}  // namespace
}  // namespace cpu

void LogSoftmaxGatherGrad::cpu(const Launch& l) const {
  if (l.out[0].meta->numel() == 0) return;
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    const cpu::Problem<T> problem(l, dim);
    parallel_for(problem.outer, cpu::kTaskSize / (problem.n * problem.inner),
                 [&](int64_t begin, int64_t end) { problem.rows(name, begin, end); });
  });
}

}  // namespace reprise
