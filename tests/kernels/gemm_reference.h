#pragma once
// The plain matrix product that cpu::gemm is held against: three loops, sums in double.

#include "../../kernels/cpu/gemm.h"

namespace reprise::cpu {

template <class T>
void gemm_reference(const Gemm<T>& p) {
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      T& c = p.c[i * p.c_row + j];
      double sum = p.accumulate ? c : 0;
      if (p.row_bias) sum += p.row_bias[i];
      if (p.column_bias) sum += p.column_bias[j];
      for (int64_t k = 0; k < p.k; ++k) {
        sum += static_cast<double>(p.a[i * p.a_row + k * p.a_column]) *
               p.b[k * p.b_row + j * p.b_column];
      }
      c = static_cast<T>(sum);
    }
  }
}

}  // namespace reprise::cpu
