// Products of few rows or few columns: a vector by a matrix, say. Reading the factor of many lines
// is what takes time, so each of its elements is read once, by the thread that multiplies it with
// those of all the few. A block has some of the lines, and kDeep threads share each: their sums are
// added as a tree.

#include "../../core/ops/elementwise.h"
#include "acc.cuh"
#include "gemm.cuh"
#include "number.cuh"

namespace reprise::cuda {
namespace {

template <class T>
struct Thin {
  Lines<T> few, many;
  int64_t few_lines, many_lines, k;
  T* c;
  int64_t c_few, c_many, c_matrix;  // steps in C with either line and the matrix
  const T* bias;
  int64_t bias_few, bias_many;
  bool relu;
  const T* gate;  // lies as C does
};

/// kMost: of the few lines at most; kDeep: threads along a line.
template <class T, int kMost, int kDeep>
__global__ void __launch_bounds__(kThreads) multiply_thin(Thin<T> p, int64_t first_block) {
  using Sum = Acc<T>;
  constexpr int kLines = kThreads / kDeep;
  __shared__ Sum parts[kMost][kDeep][kLines + 1];  // one more keeps parts of a line off one bank
  // Neighbouring threads read neighbours: along lines when many share one, else across them.
  const int t = static_cast<int>(threadIdx.x);
  const int part = kDeep > kLines ? t % kDeep : t / kLines;
  const int line = kDeep > kLines ? t / kDeep : t % kLines;
  const int64_t across = (p.many_lines + kLines - 1) / kLines, block = first_block + blockIdx.x;
  const int64_t matrix = block / across, first = block % across * kLines;

  Sum sums[kMost] = {};
  const T* const few = p.few.data + matrix * p.few.matrix;
  const T* const many = p.many.data + matrix * p.many.matrix + (first + line) * p.many.line;
  for (int64_t k = part; first + line < p.many_lines && k < p.k; k += kDeep) {
    const Sum x = static_cast<Sum>(many[k * p.many.along]);
    const T* const column = few + k * p.few.along;
    unrolled<kMost>([&](int i) {
      if (i < p.few_lines) sums[i] = std::fma(static_cast<Sum>(column[i * p.few.line]), x, sums[i]);
    });
  }
  unrolled<kMost>([&](int i) { parts[i][part][line] = sums[i]; });
  __syncthreads();
  for (int out = t; out < kMost * kLines; out += kThreads) {
    const int64_t i = out / kLines, j = first + out % kLines;
    if (i >= p.few_lines || j >= p.many_lines) continue;
    Sum y = tree_sum<Sum, kDeep>([&](int at) { return parts[i][at][out % kLines]; });
    if (p.bias != nullptr) y += static_cast<Sum>(p.bias[i * p.bias_few + j * p.bias_many]);
    if (p.relu) y = Relu{}.f(Number<Sum>{y}).v;
    const int64_t at = matrix * p.c_matrix + i * p.c_few + j * p.c_many;
    if (p.gate != nullptr)
      y = ReluGrad{}.f(Number<Sum>{y}, Number<Sum>{static_cast<Sum>(p.gate[at])}).v;
    p.c[at] = static_cast<T>(y);
  }
}

template <class T, int kMost, int kDeep>
void run(const Thin<T>& p, int64_t batch, reprise::Stream stream) {
  constexpr int64_t kLines = kThreads / kDeep;
  const int64_t blocks = batch * ((p.many_lines + kLines - 1) / kLines);
  launch_blocks(stream, blocks, kThreads, multiply_thin<T, kMost, kDeep>, p);
}

template <class T, int kMost>
void run(const Thin<T>& p, int64_t batch, reprise::Stream stream) {
  if (p.many.along < p.many.line && p.k > 16) return run<T, kMost, 32>(p, batch, stream);
  run<T, kMost, 8>(p, batch, stream);
}

template <class T>
Thin<T> thin(const Product& p) {
  const Lines<T> rows = rows_of<T>(p.a), columns = columns_of<T>(p.b);
  auto* const c = static_cast<T*>(p.c);
  const auto* const bias = static_cast<const T*>(p.bias);
  const auto* const gate = static_cast<const T*>(p.gate);
  if (p.m <= p.n)
    return {rows, columns, p.m, p.n, p.k, c, p.n, 1, p.m * p.n, bias, 0, 1, p.relu, gate};
  return {columns, rows, p.n, p.m, p.k, c, 1, p.n, p.m * p.n, bias, 1, 0, p.relu, gate};
}

}  // namespace

bool try_thin_gemm(const Product& p, reprise::Stream stream) {
  constexpr int kFew = 4, kMost = 16;
  const int64_t few = std::min(p.m, p.n);
  if (few > kMost) return false;
  visit_factors(p.dtype, [&]<class T>() {
    if (few <= kFew) return run<T, kFew>(thin<T>(p), p.batch, stream);
    run<T, kMost>(thin<T>(p), p.batch, stream);
  });
  return true;
}

}  // namespace reprise::cuda
