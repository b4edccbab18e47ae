// A stretch of the elements of a view of any strides, made dense. Dimensions that are passed
// through at one step become one; the innermost is copied run by run. Where the outermost has
// stride 0 the elements repeat: one period is gathered, and what is there is copied from then on.

#include "gather_range.h"

#include <algorithm>
#include <cstring>

#include "cursor.h"

namespace reprise::cpu {
namespace {

/// The dimensions of `meta` with neighbours merged and none of size 1, outermost first; at least
/// one.
Walk<1> merged(const Meta& meta) {
  Walk<1> walk;
  Strides& strides = walk.strides[0];
  for (size_t d = 0; d < meta.shape.size(); ++d) {
    const int64_t size = meta.shape[d], step = meta.strides[d];
    if (size == 1) continue;
    const size_t last = walk.sizes.size() - 1;
    if (!walk.sizes.empty() && strides[last] == size * step) {
      walk.sizes[last] *= size;
      strides[last] = step;
    } else {
      walk.sizes.push_back(size);
      strides.push_back(step);
    }
  }
  if (walk.sizes.empty()) {
    walk.sizes.push_back(1);
    strides.push_back(0);
  }
  return walk;
}

template <class T>
void copy_run(T* to, const T* from, int64_t step, int64_t n) {
  if (step == 0) return static_cast<void>(std::fill_n(to, n, *from));
  if (step == 1) return static_cast<void>(std::copy_n(from, n, to));
  for (int64_t i = 0; i < n; ++i) to[i] = from[i * step];
}

template <class T>
void gather(const Walk<1>& walk, const T* from, int64_t begin, int64_t count, T* to) {
  Walk<1> outer = walk;
  const int64_t size = walk.sizes.back(), step = walk.strides[0].back();
  outer.sizes.erase(outer.sizes.dim() - 1);
  outer.strides[0].erase(outer.strides[0].dim() - 1);
  Cursor<1> row(outer, begin / size);
  for (int64_t at = begin % size; count > 0; at = 0, row.next()) {
    const int64_t n = std::min(count, size - at);
    copy_run(to, from + row[0] + at * step, step, n);
    to += n;
    count -= n;
  }
}

template <class T>
void gather_repeating(const View& x, int64_t begin, int64_t count, T* to) {
  const int64_t period = period_of(*x.meta);
  if (period == 1) return static_cast<void>(std::fill_n(to, count, *x.as<T>()));
  int64_t done = std::min(count, period);
  gather(merged(*x.meta), x.as<T>(), begin, done, to);
  for (; done < count; done = std::min(count, 2 * done)) {
    std::copy_n(to, std::min(done, count - done), to + done);
  }
}

}  // namespace

int64_t period_of(const Meta& meta) {
  int64_t period = 1, inner = 1;
  for (size_t d = meta.shape.size(); d-- > 0;) {
    inner *= meta.shape[d];
    if (meta.strides[d] != 0 && meta.shape[d] != 1) period = inner;
  }
  return period;
}

void gather_range(const View& x, int64_t begin, int64_t count, void* to) {
  switch (size_of(x.meta->dtype)) {
    case 1: return gather_repeating(x, begin, count, static_cast<uint8_t*>(to));
    case 2: return gather_repeating(x, begin, count, static_cast<uint16_t*>(to));
    case 4: return gather_repeating(x, begin, count, static_cast<uint32_t*>(to));
    default: return gather_repeating(x, begin, count, static_cast<uint64_t*>(to));
  }
}

}  // namespace reprise::cpu
