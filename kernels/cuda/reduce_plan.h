#pragma once
// How a reduction is laid out on a device; it follows from sizes, strides and the size of an
// element alone. Where what lies closest together is reduced, groups of threads go along lines of
// `length` elements. Where it is kept, threads stand side by side on columns and go down them. Too
// few tasks for a device are cut into parts, whose states go to the workspace, parts of an output
// together.

#include "../../core/meta.h"
#include "../dim_list.h"
#include "offsets.cuh"

namespace reprise::cuda {

inline constexpr int kReduceThreads = 256;
inline constexpr int kLoads = 4;       // packs that a thread has on their way at a time
inline constexpr int kLoadsApart = 8;  // or elements, where there are no packs

/// Neighbours that one thread reads at once: along a line, or beside each other in columns.
constexpr int line_pack(size_t element) { return static_cast<int>(16 / element); }
constexpr int column_pack(size_t element) { return element < 4 ? 4 : line_pack(element); }

struct ReducePlan {
  Offsets<2> kept;     // but the columns: offsets in x and among the outputs
  Offsets<1> reduced;  // in x
  Dim columns;
  bool down = false;   // there are columns
  bool packs = false;  // packs lie dense, if x itself is aligned
  int64_t outputs = 1, length = 1;
  int64_t tiles = 1;            // of columns, a block's each
  int64_t parts = 1, part = 0;  // elements of a line in one part
  int threads = 1;              // in a group that reduces a line; standing beside each other
  int rows = 1;                 // threads that go down the same columns
  int64_t blocks = 1;
};

/// `element`: bytes of one. `dims` may name any dimensions of x.
ReducePlan plan_reduction(const Meta& x, const Shape& dims, size_t element);

}  // namespace reprise::cuda
