#pragma once
// Matrix products of float and double on the CPU, on raw pointers. The same problem gives the same
// bits for any number of threads and any place in a batch; other instruction sets may round
// differently.

#include <cstddef>
#include <cstdint>

#include "simd/isa.h"
#include "simd/loop.h"

namespace reprise::cpu {

/// C[m, n] = A[m, k] B[k, n], plus C as it was if `accumulate`, plus the biases that are set.
/// Strides are in elements and may be anything for A and B, also 0 or negative; columns of C are
/// contiguous. With k = 0 the product is zero. C overlaps nothing else.
template <class T>
struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  int64_t a_row = 0, a_column = 0;
  const T* b = nullptr;
  int64_t b_row = 0, b_column = 0;
  T* c = nullptr;
  int64_t c_row = 0;
  bool accumulate = false;
  const T* row_bias = nullptr;     // m values, or null
  const T* column_bias = nullptr;  // n values, or null
  Loop activation = nullptr;       // without attributes; runs on what is finished
  const T* other = nullptr;        // its second operand, which lies as C does; null: it has one
  T* activated = nullptr;          // takes its results, as C does; null: C takes them
};

/// Bytes of workspace that `gemm` and `gemm_batch` need for a problem of this size, whatever its
/// strides.
template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k);

/// The workspace must be 64-byte aligned. Uses the threads of parallel_for and their scratch.
template <class T>
void gemm(const Gemm<T>& problem, void* workspace, Isa level = isa());

/// `count` products whose operands lie a_step, b_step, c_step elements apart; biases are shared.
template <class T>
struct GemmBatch {
  int64_t count = 1;
  int64_t a_step = 0, b_step = 0, c_step = 0;
};
template <class T>
void gemm_batch(const Gemm<T>& first, const GemmBatch<T>& batch, void* workspace,
                Isa level = isa());

}  // namespace reprise::cpu
