// Gather and GatherGrad. All indices are checked before anything is written. The grid of the index
// is walked in tiles: a few neighbours of the last dimension, all the way along `dim`. No two tiles
// touch the same element of the gathered tensor, so sums into it have one order.

#include "../../core/ops/index.h"

#include <algorithm>

#include "../../core/parallel.h"
#include "cursor.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kTaskSize = 1 << 14;  // elements worth a task
constexpr int64_t kTileColumns = 64;

void check_indices(std::string_view op, const View& index, int dim, int64_t size) {
  const Meta& meta = *index.meta;
  const Walk<1> walk{meta.shape, {meta.strides}};
  parallel_for(meta.numel(), kTaskSize, [&](int64_t begin, int64_t end) {
    Cursor<1> at(walk, begin);
    for (int64_t i = begin; i < end; ++i, at.next()) {
      const int64_t value = index.as<int64_t>()[at[0]];
      check(value >= 0 && value < size, ErrorKind::Index, op, ": expected indices in [0, ", size,
            ") along dim ", dim, ", got ", value, " at position ", at.index());
    }
  });
}

/// Strides of one dimension in the index, the dense side (one element per index) and the indexed
/// side.
struct Steps {
  int64_t index = 0, dense = 0, indexed = 0;
};

struct Grid {
  Walk<3> outer;        // all dimensions but the two below
  int64_t length = 1;   // along the indexed dimension
  int64_t columns = 1;  // of the last dimension, when that is another one
  Steps along, across;
};

Grid grid_of(const Meta& index, const Strides& dense, const Strides& indexed, int dim) {
  Grid grid;
  for (size_t d = 0; d < index.shape.size(); ++d) {
    const Steps steps{index.strides[d], dense[d], indexed[d]};
    if (static_cast<int>(d) == dim) {
      grid.length = index.shape[d];
      grid.along = steps;
    } else if (d + 1 == index.shape.size()) {
      grid.columns = index.shape[d];
      grid.across = steps;
    } else {
      grid.outer.sizes.push_back(index.shape[d]);
      grid.outer.strides[0].push_back(steps.index);
      grid.outer.strides[1].push_back(steps.dense);
      grid.outer.strides[2].push_back(steps.indexed);
    }
  }
  return grid;
}

/// Calls f(offset on the dense side, offset on the indexed side) for every index.
template <class F>
void for_indices(const Grid& grid, const int64_t* index, F f) {
  const int64_t tiles = (grid.columns + kTileColumns - 1) / kTileColumns;
  const int64_t size = std::max<int64_t>(grid.length * std::min(grid.columns, kTileColumns), 1);
  parallel_for(grid.outer.sizes.numel() * tiles, kTaskSize / size, [&](int64_t begin, int64_t end) {
    Cursor<3> outer(grid.outer, begin / tiles);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % tiles * kTileColumns;
      const int64_t last = std::min(first + kTileColumns, grid.columns);
      for (int64_t k = 0; k < grid.length; ++k) {
        for (int64_t j = first; j < last; ++j) {
          const int64_t at = index[outer[0] + k * grid.along.index + j * grid.across.index];
          f(outer[1] + k * grid.along.dense + j * grid.across.dense,
            outer[2] + at * grid.along.indexed + j * grid.across.indexed);
        }
      }
      if (i % tiles + 1 == tiles) outer.next();
    }
  });
}

int64_t size_along(const Shape& shape, int dim) {
  return shape.empty() ? 1 : shape[static_cast<size_t>(dim)];
}

}  // namespace
}  // namespace cpu

void Gather::cpu(const Launch& l) const {
  const View &x = l.in[0], &index = l.in[1], &y = l.out[0];
  cpu::check_indices(name, index, dim, cpu::size_along(x.meta->shape, dim));
  if (index.meta->numel() == 0) return;
  const auto grid = cpu::grid_of(*index.meta, y.meta->strides, x.meta->strides, dim);
  visit_dtype(x.meta->dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_indices(grid, index.as<int64_t>(),
                     [=](int64_t dense, int64_t indexed) { to[dense] = from[indexed]; });
  });
}

void GatherGrad::cpu(const Launch& l) const {
  const View &src = l.in[0], &index = l.in[1], &out = l.out[0];
  cpu::check_indices(name, index, dim, cpu::size_along(shape, dim));
  visit_floating(name, src.meta->dtype, [&]<class T>() {
    const T* from = src.as<T>();
    T* to = out.as<T>();
    parallel_for(out.meta->numel(), cpu::kTaskSize,
                 [=](int64_t begin, int64_t end) { std::fill(to + begin, to + end, T(0)); });
    if (index.meta->numel() == 0) return;
    const auto grid = cpu::grid_of(*index.meta, src.meta->strides, out.meta->strides, dim);
    cpu::for_indices(grid, index.as<int64_t>(),
                     [=](int64_t dense, int64_t indexed) { to[indexed] += from[dense]; });
  });
}

}  // namespace reprise
