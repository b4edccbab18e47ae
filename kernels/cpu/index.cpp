// Gather, IndexSelect and their transposes. IndexSelect is a Gather whose index is broadcast and
// may count from the back. All indices are checked before anything is written. The grid of the
// index is walked in tiles: a few neighbours of the last dimension, all the way along `dim`. No two
// tiles touch the same element of the gathered tensor, so sums into it have one order.

#include "../../core/ops/index.h"

#include <algorithm>
#include <cstring>

#include "../../core/index_error.h"
#include "../../core/parallel.h"
#include "../cuda/workspaces.h"
#include "cursor.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kTaskSize = 1 << 14;  // elements worth a task
constexpr int64_t kTileColumns = 64;

void check_indices(std::string_view op, const View& index, int dim, int64_t size,
                   int64_t least = 0) {
  const Meta& meta = *index.meta;
  const Walk<1> walk{meta.shape, {meta.strides}};
  parallel_for(meta.numel(), kTaskSize, [&](int64_t begin, int64_t end) {
    Cursor<1> at(walk, begin);
    for (int64_t i = begin; i < end; ++i, at.next()) {
      const int64_t value = index.as<int64_t>()[at[0]];
      if (value < least || value >= size)
        detail::fail_index(op, dim, least, size, value, at.index());
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
  int64_t wrap = 0;  // what is added to a negative index
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
          int64_t at = index[outer[0] + k * grid.along.index + j * grid.across.index];
          at += at < 0 ? grid.wrap : 0;
          f(outer[1] + k * grid.along.dense + j * grid.across.dense,
            outer[2] + at * grid.along.indexed + j * grid.across.indexed);
        }
      }
      if (i % tiles + 1 == tiles) outer.next();
    }
  });
}

/// The grid of a list of indices, broadcast over the dense side.
Grid grid_of_list(const Meta& list, const Meta& dense, const Meta& indexed, int dim) {
  Meta index(dense.shape, Shape::filled(dense.dim(), 0), int64);
  index.strides[static_cast<size_t>(dim)] = list.strides[0];
  Grid grid = grid_of(index, dense.strides, indexed.strides, dim);
  grid.wrap = indexed.shape[static_cast<size_t>(dim)];
  return grid;
}

/// Rows that lie dense in both: y[o][i] = x[o][index[i]], `bytes` each.
void copy_rows(const View& x, const View& index, const View& y, int64_t size, int64_t bytes) {
  const int64_t n = index.meta->shape[0], step = index.meta->strides[0];
  const auto rows = static_cast<int64_t>(y.meta->nbytes()) / bytes;
  parallel_for(rows, std::max<int64_t>(kTaskSize / bytes, 1), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = index.as<int64_t>()[r % n * step];
      const int64_t from = r / n * size + (at < 0 ? at + size : at);
      std::memcpy(y.as<std::byte>() + r * bytes, x.as<std::byte>() + from * bytes,
                  static_cast<size_t>(bytes));
    }
  });
}

template <class T>
void fill_zero(T* to, int64_t n) {
  parallel_for(n, kTaskSize,
               [=](int64_t begin, int64_t end) { std::fill(to + begin, to + end, T(0)); });
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
  visit_bits(x.meta->dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_indices(grid, index.as<int64_t>(),
                     [=](int64_t dense, int64_t indexed) { to[dense] = from[indexed]; });
  });
}

size_t GatherGrad::workspace(std::span<const Meta> in, Device device) const {
  if (device.kind != Device::Kind::cuda) return 0;
  return cuda::gather_grad_workspace(in[0], in[1], shape, dim);
}

void GatherGrad::cpu(const Launch& l) const {
  const View &src = l.in[0], &index = l.in[1], &out = l.out[0];
  cpu::check_indices(name, index, dim, cpu::size_along(shape, dim));
  visit_floating(name, src.meta->dtype, [&]<class T>() {
    const T* from = src.as<T>();
    T* to = out.as<T>();
    cpu::fill_zero(to, out.meta->numel());
    if (index.meta->numel() == 0) return;
    const auto grid = cpu::grid_of(*index.meta, src.meta->strides, out.meta->strides, dim);
    cpu::for_indices(grid, index.as<int64_t>(),
                     [=](int64_t dense, int64_t indexed) { to[indexed] += from[dense]; });
  });
}

void IndexSelect::cpu(const Launch& l) const {
  const View &x = l.in[0], &index = l.in[1], &y = l.out[0];
  const auto at = static_cast<size_t>(dim);
  const int64_t size = x.meta->shape[at];
  cpu::check_indices(name, index, dim, size, -size);
  if (y.meta->numel() == 0) return;
  const int64_t row = contiguous_strides(x.meta->shape)[at];
  if (x.meta->is_contiguous() && row > 1) {
    return cpu::copy_rows(x, index, y, size, row * static_cast<int64_t>(size_of(x.meta->dtype)));
  }
  const auto grid = cpu::grid_of_list(*index.meta, *y.meta, *x.meta, dim);
  visit_bits(x.meta->dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_indices(grid, index.as<int64_t>(),
                     [=](int64_t dense, int64_t indexed) { to[dense] = from[indexed]; });
  });
}

size_t IndexSelectGrad::workspace(std::span<const Meta> in, Device device) const {
  if (device.kind != Device::Kind::cuda) return 0;
  return cuda::index_select_grad_workspace(in[0], in[1], size, dim);
}

void IndexSelectGrad::cpu(const Launch& l) const {
  const View &src = l.in[0], &index = l.in[1], &out = l.out[0];
  cpu::check_indices(name, index, dim, size, -size);
  visit_floating(name, src.meta->dtype, [&]<class T>() {
    const T* from = src.as<T>();
    T* to = out.as<T>();
    cpu::fill_zero(to, out.meta->numel());
    if (src.meta->numel() == 0) return;
    const auto grid = cpu::grid_of_list(*index.meta, *src.meta, *out.meta, dim);
    cpu::for_indices(grid, index.as<int64_t>(),
                     [=](int64_t dense, int64_t indexed) { to[indexed] += from[dense]; });
  });
}

}  // namespace reprise
