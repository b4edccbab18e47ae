#pragma once
// The two implementations behind conv_kernels.h: direct_* for the shapes that direct_*_serves
// names, general_* for all. Neither sees an empty output. What serves a shape does not depend on
// the machine. A mask may be null.

#include "conv_kernels.h"
#include "simd/conv.h"

namespace reprise::cpu {

/// The kernels of one instruction set.
template <class T>
const ConvKernels<T>& simd_kernels(Isa level) {
  const ConvTable& table = pick(level, sse2::conv_table, avx2::conv_table, avx512::conv_table);
  if constexpr (sizeof(T) == 4) {
    return table.f32;
  } else {
    return table.f64;
  }
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool direct_serves(const ConvShape& s);
template <class T>
size_t direct_workspace(const ConvShape& s);
template <class T>
void direct(const ConvShape& s, const T* x, const T* weight, bool packed, const ConvTail<T>& tail,
            T* y, void* workspace, Isa level);
template <class T>
void direct_pack(const ConvShape& s, const T* weight, T* packed, Isa level);
bool direct_grad_input_serves(const ConvShape& s);
template <class T>
size_t direct_grad_input_workspace(const ConvShape& s);
template <class T>
void direct_grad_input(const ConvShape& s, const T* gy, const T* weight, const T* mask, T* gx,
                       void* workspace, Isa level);
bool direct_grad_weight_serves(const ConvShape& s);
template <class T>
size_t direct_grad_weight_workspace(const ConvShape& s);
template <class T>
void direct_grad_weight(const ConvShape& s, const T* x, const T* gy, T* gw, void* workspace,
                        Isa level);

template <class T>
size_t general_workspace(const ConvShape& s);
template <class T>
void general(const ConvShape& s, const T* x, const T* weight, const ConvTail<T>& tail, T* y,
             void* workspace, Isa level);
template <class T>
size_t general_grad_input_workspace(const ConvShape& s, bool masked);
template <class T>
void general_grad_input(const ConvShape& s, const T* gy, const T* weight, const T* mask, T* gx,
                        void* workspace, Isa level);
template <class T>
size_t general_grad_weight_workspace(const ConvShape& s);
template <class T>
void general_grad_weight(const ConvShape& s, const T* x, const T* gy, T* gw, void* workspace,
                         Isa level);

}  // namespace reprise::cpu
