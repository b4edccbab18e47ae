// Products of any strides. A block computes a square tile of C. Panels of A and B, some steps of k
// deep, go through registers into shared memory, where two of each take turns: the next one is on
// its way while this one is multiplied. The threads form a square, too; each has kOwn rows and
// columns of the tile in groups of 16 bytes, which it reads from shared memory at once.

#include "../../core/ops/elementwise.h"
#include "acc.cuh"
#include "gemm.cuh"
#include "number.cuh"
#include "pack.cuh"

namespace reprise::cuda {
namespace {

constexpr int kSide = 16;  // threads along a side of the tile
constexpr int kTileThreads = kSide * kSide;

/// How a tile of kSize x kSize is made, kDepth steps of k at a time.
template <class T, int Size, int Depth, int Blocks>
struct Tile {
  using Element = T;
  using Sum = Acc<T>;
  static constexpr int kGroup = kPack<Sum>;
  using Group = Pack<Sum, kGroup>;
  static constexpr int kSize = Size, kDepth = Depth;
  static constexpr int kBlocks = Blocks;         // on a multiprocessor at least
  static constexpr int kOwn = kSize / kSide;     // rows and columns of a thread
  static constexpr int kGroups = kOwn / kGroup;  // .. in so many groups of neighbours
  static constexpr int kPitch = kSize + kGroup;  // keeps stores across a panel off one bank
  static constexpr int kPanel = kPitch * kDepth / kGroup;

  /// In the tile, the first of a group of thread `t` of the side.
  static __device__ int place(int group, int t) { return (group * kSide + t) * kGroup; }
};

template <class T>
struct Problem {
  Lines<T> a, b;
  T* c;
  const T* bias;
  bool relu;
  const T* gate;  // lies as C does
  bool grouped;   // C and the gate have no groups of columns that are cut or lie askew
  int64_t m, n, k;
};

/// Where a block works: the first elements of its lines and of its tile, and how many there are.
template <class T>
struct Corner {
  const T *a, *b, *bias;
  int64_t c;  // in C and in the gate
  int rows, columns;
};

template <class T>
__device__ Corner<T> corner_of(const Problem<T>& p, int64_t tile, int size) {
  const int64_t across = (p.n + size - 1) / size, down = (p.m + size - 1) / size;
  const int64_t column = tile % across * size, row = tile / across % down * size;
  const int64_t matrix = tile / (across * down);
  return {p.a.data + matrix * p.a.matrix + row * p.a.line,
          p.b.data + matrix * p.b.matrix + column * p.b.line,
          p.bias == nullptr ? nullptr : p.bias + column,
          (matrix * p.m + row) * p.n + column,
          static_cast<int>(p.m - row < size ? p.m - row : size),
          static_cast<int>(p.n - column < size ? p.n - column : size)};
}

/// A thread's part of the way of panels from memory to shared memory.
template <class Tile>
class Panels {
  using T = typename Tile::Element;
  using Sum = typename Tile::Sum;
  static constexpr int kEach = Tile::kSize * Tile::kDepth / kTileThreads;

 public:
  /// Of `lines` lines from the one at `data` on.
  __device__ Panels(const Lines<T>& from, const T* data, int lines) {
    const int t = static_cast<int>(threadIdx.x);
    const bool along = from.along < from.line;  // neighbouring threads read neighbours
    const int line = along ? t / Tile::kDepth : t % Tile::kSize;
    const int next_line = along ? kTileThreads / Tile::kDepth : 0;
    depth_ = along ? t % Tile::kDepth : t / Tile::kSize;
    next_depth_ = along ? 0 : kTileThreads / Tile::kSize;
    for (int i = 0; i < kEach; ++i) inside_ |= (line + i * next_line < lines ? 1U : 0U) << i;
    at_ = data + line * from.line + depth_ * from.along;
    step_ = next_line * from.line + next_depth_ * from.along;
    to_ = depth_ * Tile::kPitch + line;
    next_to_ = next_depth_ * Tile::kPitch + next_line;
  }

  /// Starts to read the next panel, `left` deep; zeros where there is nothing.
  __device__ void fetch(const Lines<T>& from, int left) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const bool inside = (inside_ >> i & 1U) != 0 && depth_ + i * next_depth_ < left;
      values_[i] = inside ? at_[i * step_] : T{};
    }
    at_ += Tile::kDepth * from.along;
  }

  __device__ void put(typename Tile::Group* panel) const {
    Sum* const to = panel->v + to_;
#pragma unroll
    for (int i = 0; i < kEach; ++i) to[i * next_to_] = static_cast<Sum>(values_[i]);
  }

 private:
  const T* at_;
  int64_t step_;
  unsigned inside_ = 0;  // bit i: the line of element i is there
  int depth_, next_depth_, to_, next_to_;
  T values_[kEach];
};

/// A thread's part of a tile of C.
template <class Tile>
class Sums {
  using T = typename Tile::Element;
  using Sum = typename Tile::Sum;
  using Group = typename Tile::Group;

 public:
  __device__ Sums() : x_(threadIdx.x % kSide), y_(threadIdx.x / kSide) {}

  __device__ void add_product(const Group* a, const Group* b) {
#pragma unroll 2  // more would not fit the registers
    for (int depth = 0; depth < Tile::kDepth; ++depth) {
      Sum rows[Tile::kOwn], columns[Tile::kOwn];
      read(rows, a, y_);
      read(columns, b, x_);
      a += Tile::kPitch / Tile::kGroup;
      b += Tile::kPitch / Tile::kGroup;
#pragma unroll
      for (int i = 0; i < Tile::kOwn; ++i) {
#pragma unroll
        for (int j = 0; j < Tile::kOwn; ++j)
          sums_[i][j] = std::fma(rows[i], columns[j], sums_[i][j]);
      }
    }
  }

  __device__ void store(const Corner<T>& to, const Problem<T>& p) const {
#pragma unroll
    for (int i = 0; i < Tile::kOwn; ++i) {
      const int row = Tile::place(i / Tile::kGroup, y_) + i % Tile::kGroup;
      if (row >= to.rows) continue;
#pragma unroll
      for (int group = 0; group < Tile::kGroups; ++group)
        store(&sums_[i][group * Tile::kGroup], to, row * p.n, Tile::place(group, x_), p);
    }
  }

 private:
  static __device__ void read(Sum* own, const Group* line, int t) {
#pragma unroll
    for (int group = 0; group < Tile::kGroups; ++group) {
      const Group read = line[Tile::place(group, t) / Tile::kGroup];
#pragma unroll
      for (int i = 0; i < Tile::kGroup; ++i) own[group * Tile::kGroup + i] = read.v[i];
    }
  }

  /// A group of a row, of which the columns from `first` on that are there.
  static __device__ void store(const Sum* sums, const Corner<T>& to, int64_t row, int first,
                               const Problem<T>& p) {
    Pack<T, Tile::kGroup> out;
#pragma unroll
    for (int i = 0; i < Tile::kGroup; ++i) {
      Sum y = sums[i];
      if (to.bias != nullptr && first + i < to.columns) y += to.bias[first + i];
      out.v[i] = static_cast<T>(p.relu ? Relu{}.f(Number<Sum>{y}).v : y);
    }
    const int64_t at = to.c + row + first;
    const int count = to.columns - first;
    if (p.gate != nullptr) mask(out, p.gate + at, p.grouped, count);
    if (p.grouped && count > 0) *reinterpret_cast<decltype(out)*>(p.c + at) = out;
    if (p.grouped) return;
#pragma unroll
    for (int i = 0; i < Tile::kGroup; ++i) {
      if (i < count) p.c[at + i] = out.v[i];
    }
  }

  static __device__ void mask(Pack<T, Tile::kGroup>& out, const T* gate, bool grouped, int count) {
    Pack<T, Tile::kGroup> read{};
    if (grouped && count > 0) read = *reinterpret_cast<const decltype(read)*>(gate);
#pragma unroll
    for (int i = 0; i < Tile::kGroup; ++i) {
      if (!grouped && i < count) read.v[i] = gate[i];
      const Number<Sum> gy{static_cast<Sum>(out.v[i])}, y{static_cast<Sum>(read.v[i])};
      out.v[i] = static_cast<T>(ReluGrad{}.f(gy, y).v);
    }
  }

  int x_, y_;
  Sum sums_[Tile::kOwn][Tile::kOwn] = {};
};

template <class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, Tile::kBlocks)
    multiply(Problem<T> p, int64_t first_tile) {
  __shared__ typename Tile::Group a_panels[2][Tile::kPanel], b_panels[2][Tile::kPanel];
  const Corner<T> corner = corner_of(p, first_tile + blockIdx.x, Tile::kSize);
  Panels<Tile> a(p.a, corner.a, corner.rows), b(p.b, corner.b, corner.columns);
  Sums<Tile> sums;
  int64_t left = p.k;
  const auto fetch = [&] {
    const int depth = static_cast<int>(left < Tile::kDepth ? left : Tile::kDepth);
    a.fetch(p.a, depth);
    b.fetch(p.b, depth);
  };
  const auto put = [&](int which) {
    a.put(a_panels[which]);
    b.put(b_panels[which]);
  };
  fetch();
  put(0);
  __syncthreads();
  for (int now = 0; left > 0; now = 1 - now) {
    left -= Tile::kDepth;
    if (left > 0) fetch();
    sums.add_product(a_panels[now], b_panels[now]);
    if (left > 0) put(1 - now);
    __syncthreads();
  }
  sums.store(corner, p);
}

int64_t tiles_of(const Product& p, int64_t size) {
  return p.batch * ((p.m + size - 1) / size) * ((p.n + size - 1) / size);
}

template <class Tile, class T>
void launch_tiles(const Problem<T>& p, int64_t tiles, reprise::Stream stream) {
  launch_blocks(stream, tiles, kTileThreads, multiply<Tile, T>, p);
}

}  // namespace

void gemm(const Product& p, reprise::Stream stream) {
  visit_factors(p.dtype, [&]<class T>() {
    constexpr int kGroup = kPack<Acc<T>>;
    const Problem<T> problem{
        .a = rows_of<T>(p.a),
        .b = columns_of<T>(p.b),
        .c = static_cast<T*>(p.c),
        .bias = static_cast<const T*>(p.bias),
        .relu = p.relu,
        .gate = static_cast<const T*>(p.gate),
        .grouped = p.n % kGroup == 0 && is_aligned(p.c, sizeof(T) * kGroup) &&
                   is_aligned(p.gate, sizeof(T) * kGroup),
        .m = p.m,
        .n = p.n,
        .k = p.k,
    };
    if constexpr (sizeof(T) == sizeof(float)) {  // large tiles read less; some keep a device busy
      const int64_t tiles = tiles_of(p, 128);
      if (tiles >= 128 && std::min(p.m, p.n) > 64)
        return launch_tiles<Tile<T, 128, 8, 2>>(problem, tiles, stream);
    }
    launch_tiles<Tile<T, 64, 16, kGroup>>(problem, tiles_of(p, 64), stream);
  });
}

}  // namespace reprise::cuda
