// Copies within a dtype move words of its size. One that is transposed goes through a tile in
// shared memory, so that whole lines are read and written.

#include <cstring>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/memory_format.h"
#include "assign.h"
#include "map.cuh"

namespace reprise {
namespace cuda {
namespace {

struct Same {
  __device__ auto operator()(const auto& x) const { return x; }
};

template <class T>
struct Constant {
  T value;

  template <int V>
  __device__ Pack<T, V> operator()(const Pack<int64_t, V>&) const {
    Pack<T, V> x;
    for (int i = 0; i < V; ++i) x.v[i] = value;
    return x;
  }
};

constexpr unsigned kTile = 32, kTileRows = 8;  // a block has kTileRows rows of threads

/// Rows and columns of planes that are transposed: `to` is dense in the columns of a row, `from` in
/// the rows of a column.
struct Transposition {
  Transposition(const Layout& layout, int rows_dim)
      : columns(layout.sizes[0]),
        rows(layout.sizes[rows_dim]),
        to_row(layout.steps[rows_dim][0]),
        from_column(layout.steps[0][1]),
        tiles_across(static_cast<unsigned>((columns + kTile - 1) / kTile)),
        tiles(static_cast<unsigned>((rows + kTile - 1) / kTile) * tiles_across),
        planes(layout.without(0, rows_dim), 1) {}

  int64_t columns, rows, to_row, from_column;
  unsigned tiles_across, tiles;  // of a plane
  Walk<2> planes;
};

template <class T>
__global__ void transpose(Transposition t, T* to, const T* from) {
  __shared__ T tile[kTile][kTile + 1];  // one more, so that a column lies in different banks
  const unsigned plane = blockIdx.x / t.tiles, in_plane = blockIdx.x % t.tiles;
  const int64_t row = in_plane / t.tiles_across * kTile, column = in_plane % t.tiles_across * kTile;
  const auto places = t.planes.template find<1>(plane);
  to += places.at[0][0];
  from += places.at[1][0];
#pragma unroll
  for (unsigned i = threadIdx.y; i < kTile; i += kTileRows) {
    const int64_t r = row + threadIdx.x, c = column + i;
    if (r < t.rows && c < t.columns) tile[i][threadIdx.x] = from[c * t.from_column + r];
  }
  __syncthreads();
#pragma unroll
  for (unsigned i = threadIdx.y; i < kTile; i += kTileRows) {
    const int64_t r = row + i, c = column + threadIdx.x;
    if (r < t.rows && c < t.columns) to[r * t.to_row + c] = tile[threadIdx.x][i];
  }
}

/// False for narrow planes, whose tiles would be mostly empty.
template <class T>
bool try_transpose(Stream stream, const View& to, const View& from) {
  constexpr int64_t kNarrow = 8, kMostElements = int64_t{1} << 30;
  const View views[] = {to, from};
  const Layout layout(views);
  const int rows_dim = layout.transposed_dim();
  if (rows_dim == 0 || layout.steps[0][0] != 1) return false;
  if (layout.sizes[0] < kNarrow || layout.sizes[rows_dim] < kNarrow) return false;
  for_each_part(layout, kMostElements, [&](const Layout& part) {
    const Transposition t(part, rows_dim);
    launch(stream, t.planes.packs * t.tiles, dim3(kTile, kTileRows), transpose<T>, t, to.as<T>(),
           from.as<const T>());
  });
  return true;
}

}  // namespace

void assign(Stream stream, const View& to, const View& from) {
  if (to.meta->dtype != from.meta->dtype) return convert(stream, to, from);
  visit_bits(to.meta->dtype, [&]<class T>() {
    if (!try_transpose<T>(stream, to, from)) map<T, T>(stream, Same{}, to, from);
  });
}

void assign_value(Stream stream, const View& to, const void* value) {
  const Meta index(to.meta->shape, int64);
  visit_bits(to.meta->dtype, [&]<class T>() {
    Constant<T> constant;
    std::memcpy(&constant.value, value, sizeof(T));
    map<T, Index>(stream, constant, to, View{nullptr, &index});
  });
}

}  // namespace cuda

void Copy::cuda(const Launch& l) const { cuda::assign(l.stream, l.out[0], l.in[0]); }
void ToMemoryFormat::cuda(const Launch& l) const { cuda::assign(l.stream, l.out[0], l.in[0]); }

}  // namespace reprise
