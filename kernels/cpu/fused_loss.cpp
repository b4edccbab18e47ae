// Picked log probabilities: those of LogSoftmax, from the scratch. Of their gradient y is seen
// along the dimension as [outer, n, inner]; the exponentials of whole rows go to the output in one
// loop, which is then scaled and taken from zero while it is in the cache, as the single ops would
// have rounded it.

#include "../../core/ops/fused_loss.h"

#include <algorithm>

#include "../../core/index_error.h"
#include "../../core/ops/softmax.h"
#include "../../core/parallel.h"
#include "../cuda/workspaces.h"
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
  const T *most = nullptr, *log_sum = nullptr;  // y is log_softmax unless there are these
  T* gx;
  int dim;
  int64_t outer = 1, n = 1, inner = 1;

  Problem(const Launch& l, int along)
      : y(l.in[0]), index(l.in[1]), g(l.in[2]), gx(l.out[0].as<T>()), dim(along) {
    if (l.in.size() > 3) most = l.in[3].as<T>(), log_sum = l.in[4].as<T>();
    const Shape& shape = y.meta->shape;
    for (int d = 0; d < shape.dim(); ++d) {
      (d < dim ? outer : d == dim ? n : inner) *= shape[static_cast<size_t>(d)];
    }
  }

  /// gx = (x - most) - log_sum for rows [begin, end) of outer, x of which lie dense.
  void log_softmax(int64_t begin, int64_t end, const T* x) const {
    T* to = gx + begin * n * inner;
    if (inner == 1) {
      for (int64_t i = begin; i < end; ++i, x += n, to += n) {
        const T largest = most[i], log = log_sum[i];
        for (int64_t k = 0; k < n; ++k) to[k] = (x[k] - largest) - log;
      }
      return;
    }
    for (int64_t i = begin * inner; i < end * inner; i += inner) {
      for (int64_t k = 0; k < n; ++k, x += inner, to += inner) {
        for (int64_t j = 0; j < inner; ++j) to[j] = (x[j] - most[i + j]) - log_sum[i + j];
      }
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
    if (most != nullptr) {
      log_softmax(begin, end, static_cast<const T*>(operands[1]));
      operands[1] = gx + at;
    }
    const Exp op;
    elementwise_table().at(ElementwiseIndex::Exp, dtype_of<T>())(&op, count, operands);
  }

  void row(T* to, int64_t picked, T g_at) const {
    const T at_picked = g_at - to[picked * inner] * g_at;
    const auto take = [&](auto step) {
      for (int64_t k = 0; k < n; ++k) to[k * step] = T(0) - to[k * step] * g_at;
    };
    inner == 1 ? take(std::integral_constant<int64_t, 1>()) : take(inner);
    to[picked * inner] = at_picked;
  }

  void rows(int64_t begin, int64_t end) const {
    exponentials(begin, end);
    const Walk<2> walk{index.meta->shape, {index.meta->strides, g.meta->strides}};
    Cursor<2> at(walk, begin * inner);
    for (int64_t i = begin * inner; i < end * inner; ++i, at.next()) {
      const int64_t picked = index.as<int64_t>()[at[0]];
      if (picked < 0 || picked >= n) detail::fail_class(n, picked, i);
      row(gx + i / inner * n * inner + i % inner, picked, g.as<T>()[at[1]]);
    }
  }
};

/// The largest of a line, NaN where the first one is; of a dense one in lanes of their own.
template <class T>
T largest(const T* x, int64_t n, int64_t step) {
  constexpr int64_t kLanes = 16;
  T most[kLanes];
  std::fill_n(most, kLanes, x[0]);
  int64_t k = 0;
  if (step == 1) {
    for (; k + kLanes <= n; k += kLanes) {
      for (int64_t j = 0; j < kLanes; ++j) most[j] = x[k + j] > most[j] ? x[k + j] : most[j];
    }
  }
  for (; k < n; ++k) most[0] = x[k * step] > most[0] ? x[k * step] : most[0];
  for (const T other : most) most[0] = other > most[0] ? other : most[0];
  return most[0];
}

/// One line along the dimension: the outputs from x and log_softmax of it.
template <class T>
struct Picker {
  const Launch& l;
  const T* y;
  int64_t n, inner, step;  // between elements of a line in x

  void line(int64_t i, const T* x, int64_t picked) const {
    const T* const of = y + i / inner * n * inner + i % inner;
    l.out[0].as<T>()[i] = of[picked * inner];
    l.out[1].as<T>()[i] = largest(x, n, step);
    l.out[2].as<T>()[i] = -largest(of, n, inner);  // where x - most is 0
  }
};

template <class T>
void pick_lines(const Launch& l, int dim) {
  const Meta &x = *l.in[0].meta, &index = *l.in[1].meta;
  const auto d = static_cast<size_t>(dim);
  const Picker<T> picker{l, static_cast<const T*>(l.workspace), x.shape[d],
                         contiguous_strides(x.shape)[d], x.strides[d]};
  const Walk<2> walk{index.shape, {x.strides, index.strides}};
  parallel_for(index.numel(), kTaskSize / std::max<int64_t>(picker.n, 1),
               [&](int64_t begin, int64_t end) {
                 Cursor<2> at(walk, begin);
                 for (int64_t i = begin; i < end; ++i, at.next()) {
                   const int64_t picked = l.in[1].as<int64_t>()[at[1]];
                   if (picked < 0 || picked >= picker.n) {
                     detail::fail_class(picker.n, picked, i);
                   }
                   picker.line(i, l.in[0].as<T>() + at[0], picked);
                 }
               });
}

}  // namespace
}  // namespace cpu

size_t LogSoftmaxGather::workspace(std::span<const Meta> in, Device device) const {
  const size_t element = size_of(in[0].dtype);
  if (device.kind != Device::Kind::cuda) return static_cast<size_t>(in[0].numel()) * element;
  return cuda::reduction_workspace(in[0], {dim}, 2 * std::max(element, sizeof(float)));
}

void LogSoftmaxGather::cpu(const Launch& l) const {
  if (l.out[0].meta->numel() == 0) return;
  const Meta dense(l.in[0].meta->shape, l.in[0].meta->dtype);
  const View y{l.workspace, &dense};
  LogSoftmax{dim}.cpu({l.in.first(1), {&y, 1}, nullptr, l.stream});
  visit_floating(name, dense.dtype, [&]<class T>() { cpu::pick_lines<T>(l, dim); });
}

void LogSoftmaxGatherGrad::cpu(const Launch& l) const {
  if (l.out[0].meta->numel() == 0) return;
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    const cpu::Problem<T> problem(l, dim);
    parallel_for(problem.outer, cpu::kTaskSize / (problem.n * problem.inner),
                 [&](int64_t begin, int64_t end) { problem.rows(begin, end); });
  });
}

}  // namespace reprise
