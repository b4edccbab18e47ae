#pragma once
// Convolution as a matrix product whose second operand is never written down (implicit GEMM): the
// pixel of column n that step k of the depth reads is found by adding two places in the image.
// A block of 64 threads makes 64 x 64 results, each thread 8 x 8 of them in registers. It reads 8
// steps of the depth at a time into one half of its shared memory while it multiplies the other,
// and the places of the steps one turn ahead of that. Elements of 16 bits become floats on the way.

#include "conv_places.cuh"
#include "conv_tail.cuh"
#include "launch.cuh"

namespace reprise::cuda {

__device__ inline float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
__device__ inline double multiply_add(double a, double b, double c) { return __fma_rn(a, b, c); }

inline constexpr int kConvThreads = 64;
inline constexpr int kConvEach = 8;              // rows and columns of a thread
inline constexpr int kConvLine = kConvTile + 4;  // of shared memory: lanes hit other banks
static_assert(kConvDepth * kConvDepth == kConvThreads && kConvDepth * kConvEach == kConvTile);

template <class A>
struct ConvShared {
  A a[2][kConvDepth][kConvLine], b[2][kConvDepth][kConvLine];
  ConvPlace steps[2][kConvDepth];
  ConvPlace columns[kConvTile];
};

/// One block at work.
template <class Pass, class T>
class ConvBlock {
 public:
  __device__ ConvBlock(const ConvShape& s, const ConvCut& cut, ConvShared<Acc<T>>& shared)
      : thread_(static_cast<int>(threadIdx.x)), shared_(shared), pass_(s, product_of(cut)) {
    int64_t at = blockIdx.x;
    row_ = at % cut.row_tiles * kConvTile;
    at /= cut.row_tiles;
    const int64_t n = at % cut.column_tiles * kConvTile + thread_;
    slice_ = at / cut.column_tiles % cut.slices;
    const int64_t depth = pass_.depth(), turns = (depth + kConvDepth - 1) / kConvDepth;
    begin_ = turns * slice_ / cut.slices * kConvDepth;
    end_ = std::min(turns * (slice_ + 1) / cut.slices * kConvDepth, depth);
    column_ = n < pass_.columns() ? pass_.column(n) : ConvPlace::none();
    shared_.columns[thread_] = column_;
  }

  __device__ void multiply(const T* a, const T* b) {
    find_steps(0, begin_);
    __syncthreads();
    find_steps(1, begin_ + kConvDepth);
    load(0, a, b);
    store(0);
    __syncthreads();
    int turn = 0;
    for (int64_t k = begin_; k < end_; k += kConvDepth, turn ^= 1) {
      const bool more = k + kConvDepth < end_;
      if (kReadsAhead && more) load(turn ^ 1, a, b);
      find_steps(turn, k + 2 * kConvDepth);
      accumulate(turn);
      if (!kReadsAhead && more) load(turn ^ 1, a, b);
      if (more) store(turn ^ 1);
      __syncthreads();
    }
  }

  /// Calls f(sum, channel, place in the result) for the results of this thread. A row of them at a
  /// time goes through shared memory, so that the code of f stands there for each row only.
  template <class F>
  __device__ void each_result(F f) {
#pragma unroll
    for (int i = 0; i < kConvEach; ++i) {
      const int64_t m = row_ + mine(thread_ / kConvDepth, i);
#pragma unroll
      for (int j = 0; j < kConvEach; ++j) shared_.a[0][j][thread_] = sums_[i][j];
#pragma unroll 1
      for (int j = 0; m < pass_.rows() && j < kConvEach; ++j) {
        const int64_t place = shared_.columns[mine(thread_ % kConvDepth, j)].other;
        if (place < 0) continue;
        f(shared_.a[0][j][thread_], pass_.group * pass_.rows() + m,
          place + m * pass_.row_of_result());
      }
    }
  }

  __device__ int64_t slice() const { return slice_; }

 private:
  __device__ static int64_t product_of(const ConvCut& cut) {
    return blockIdx.x / (cut.row_tiles * cut.column_tiles * cut.slices);
  }
  /// Rows and columns of a thread: four side by side in either half of the tile.
  __device__ static int mine(int group, int i) {
    return i / 4 * (kConvTile / 2) + group * 4 + i % 4;
  }

  __device__ void find_steps(int turn, int64_t k) {
    if (thread_ >= kConvDepth) return;
    k += thread_;
    shared_.steps[turn][thread_] = k < end_ ? pass_.step(k) : ConvPlace::none();
  }

  __device__ T gather(const T* b, const ConvPlace& step, const ConvPlace& column) const {
    const unsigned h = step.h + column.h, w = step.w + column.w;
    const bool there =
        step.other >= 0 && column.other >= 0 && h < pass_.height() && w < pass_.width();
    return there ? b[step.offset + column.offset] : T(0);
  }

  __device__ T read(const T* a, const ConvPlace& step, int row) const {
    const int64_t m = row_ + row;
    return step.other >= 0 && m < pass_.rows() ? a[step.other + m * pass_.row_of_operand()] : T(0);
  }

  /// Element i of a thread: step i of its own line, or its own step of line_of(i).
  __device__ void load(int turn, const T* a, const T* b) {
    const ConvPlace(&steps)[kConvDepth] = shared_.steps[turn];
    const ConvPlace step = steps[thread_ % kConvDepth];
#pragma unroll
    for (int i = 0; i < kConvEach; ++i) {
      if constexpr (Pass::lanes_along_rows) {
        next_a_[i] = read(a, steps[i], thread_);
      } else {
        next_a_[i] = read(a, step, line_of(i));
      }
      if constexpr (Pass::lanes_along_columns) {
        next_b_[i] = gather(b, steps[i], column_);
      } else {
        next_b_[i] = gather(b, step, shared_.columns[line_of(i)]);
      }
    }
  }
  __device__ int line_of(int i) const { return thread_ / kConvDepth + i * kConvDepth; }

  __device__ void store(int turn) {
    keep<Pass::lanes_along_rows>(shared_.a[turn], next_a_);
    keep<Pass::lanes_along_columns>(shared_.b[turn], next_b_);
  }
  template <bool LanesAlong>
  __device__ void keep(Acc<T> (&to)[kConvDepth][kConvLine], const T (&from)[kConvEach]) {
#pragma unroll
    for (int i = 0; i < kConvEach; ++i) {
      if constexpr (LanesAlong) {
        to[i][thread_] = static_cast<Acc<T>>(from[i]);
      } else {
        to[thread_ % kConvDepth][line_of(i)] = static_cast<Acc<T>>(from[i]);
      }
    }
  }

  __device__ void accumulate(int turn) {
#pragma unroll
    for (int k = 0; k < kConvDepth; ++k) {
      Acc<T> a[kConvEach], b[kConvEach];
#pragma unroll
      for (int i = 0; i < kConvEach; ++i) {
        a[i] = shared_.a[turn][k][mine(thread_ / kConvDepth, i)];
        b[i] = shared_.b[turn][k][mine(thread_ % kConvDepth, i)];
      }
#pragma unroll
      for (int i = 0; i < kConvEach; ++i) {
#pragma unroll
        for (int j = 0; j < kConvEach; ++j) sums_[i][j] = multiply_add(a[i], b[j], sums_[i][j]);
      }
    }
  }

  static constexpr bool kReadsAhead = sizeof(T) < 8;  // doubles leave no registers for it

  const int thread_;
  ConvShared<Acc<T>>& shared_;
  const Pass pass_;
  int64_t row_, slice_, begin_, end_;
  ConvPlace column_;
  T next_a_[kConvEach], next_b_[kConvEach];
  Acc<T> sums_[kConvEach][kConvEach] = {};
};

/// Slices go to `slices`, one result behind another, unless there is only one.
template <class Pass, class T>
__global__ __launch_bounds__(kConvThreads) void conv_gemm(ConvShape s, ConvCut cut, const T* a,
                                                          const T* b, ConvTail<T> tail, T* out,
                                                          Acc<T>* slices, int64_t results) {
  __shared__ ConvShared<Acc<T>> shared;
  ConvBlock<Pass, T> block(s, cut, shared);
  block.multiply(a, b);
  Acc<T>* const to = slices + block.slice() * results;
  block.each_result([&](Acc<T> sum, int64_t channel, int64_t at) {
    if (cut.slices == 1) {
      out[at] = finish(sum, tail, channel, at);
    } else {
      to[at] = sum;
    }
  });
}

template <class Pass, class T>
void run_conv_pass(reprise::Stream stream, const ConvWork& work, const T* a, const T* b,
                   const ConvTail<T>& tail, T* out, void* workspace) {
  const ConvShape& s = work.shape;
  const ConvCut cut = conv_cut(Pass::pass, s);
  auto* const slices = static_cast<Acc<T>*>(workspace);
  launch(stream, Grid{static_cast<unsigned>(cut.blocks()), kConvThreads}, conv_gemm<Pass, T>, s,
         cut, a, b, tail, out, slices, conv_results(Pass::pass, s));
  if (cut.slices > 1) finish_conv<T>(stream, work, slices, cut.slices, tail, out);
}

/// a: weight, weight or gy; b: x, gy or x; out: y, gx or gw, by the pass.
template <template <bool> class Pass, class T>
void run_conv(reprise::Stream stream, const ConvWork& work, const T* a, const T* b,
              const ConvTail<T>& tail, T* out, void* workspace) {
  if (work.channels_last)
    return run_conv_pass<Pass<true>>(stream, work, a, b, tail, out, workspace);
  run_conv_pass<Pass<false>>(stream, work, a, b, tail, out, workspace);
}

}  // namespace reprise::cuda
