#pragma once
// Dimensions as reductions order, merge and pick them.

#include <algorithm>
#include <cstdlib>

#include "../core/meta.h"
#include "../core/small_vector.h"

namespace reprise {

struct Dim {
  int64_t size = 1, in = 0, out = 0;  // strides in the input and among the outputs
};
using DimList = SmallVector<Dim, kMaxDims>;  // innermost first

/// A reduction over `dims` of x.
struct ReducedDims {
  ReducedDims(const Meta& x, const Shape& dims) {
    for (size_t d = x.shape.size(); d-- > 0;) {
      const bool gone = std::find(dims.begin(), dims.end(), static_cast<int64_t>(d)) != dims.end();
      const Dim dim{x.shape[d], x.strides[d], gone ? 0 : outputs};
      if (dim.size != 1) (gone ? reduced : kept).push_back(dim);
      (gone ? length : outputs) *= dim.size;
    }
  }

  DimList kept, reduced;            // without those of size 1
  int64_t outputs = 1, length = 1;  // results, and terms of each
};

/// Makes one dimension of neighbours that lie in memory like one.
inline void merge(DimList& dims) {
  DimList merged;
  for (const Dim& d : dims) {
    const Dim last = merged.empty() ? Dim{} : merged.back();
    const bool joined =
        !merged.empty() && d.in == last.in * last.size && d.out == last.out * last.size;
    if (joined)
      merged.back().size *= d.size;
    else
      merged.push_back(d);
  }
  dims = std::move(merged);
}

/// Removes and returns the i-th dimension.
inline Dim take(DimList& dims, size_t i) {
  const Dim taken = dims[i];
  DimList rest;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (d != i) rest.push_back(dims[d]);
  }
  dims = std::move(rest);
  return taken;
}

/// Stable, and by insertion, for std::stable_sort allocates.
inline void sort_by_stride(DimList& dims) {
  const auto less = [](const Dim& a, const Dim& b) { return std::abs(a.in) < std::abs(b.in); };
  for (Dim* next = dims.begin(); next != dims.end(); ++next) {
    std::rotate(std::upper_bound(dims.begin(), next, *next, less), next, next + 1);
  }
}

}  // namespace reprise
