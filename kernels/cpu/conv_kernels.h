#pragma once
// 2-D convolutions of float and double on the CPU, on raw pointers: contiguous x [batch,
// in_channels, height, width], weight [out_channels, in_channels / groups, kernel_h, kernel_w],
// bias [out_channels], y [batch, out_channels, out_h(), out_w()]. The same problem gives the same
// bits for any number of threads.

#include <cstddef>
#include <cstdint>

#include "../conv_shape.h"
#include "simd/isa.h"

namespace reprise::cpu {

// Each function is preceded by the bytes of 64-byte aligned workspace that it needs.

/// y = conv(x, weight) + bias; the bias may be null. An empty sum is zero.
template <class T>
size_t conv2d_workspace(const ConvShape& shape);
template <class T>
void conv2d(const ConvShape& shape, const T* x, const T* weight, const T* bias, T* y,
            void* workspace, Isa level = isa());

/// The same with another tail; `packed` weights come from pack_conv2d_weight for this shape, of any
/// batch, and take the same workspace.
template <class T>
void fused_conv2d(const ConvShape& shape, const T* x, const T* weight, bool packed,
                  const ConvTail<T>& tail, T* y, void* workspace, Isa level = isa());

/// Weights in the order in which that instruction set reads them, out_channels filled up to a
/// multiple of 128 bytes.
template <class T>
void pack_conv2d_weight(const ConvShape& shape, const T* weight, T* packed, Isa level = isa());

/// gx = the gradient of sum(gy * conv(x, weight)) with respect to x.
template <class T>
size_t conv2d_grad_input_workspace(const ConvShape& shape);
template <class T>
void conv2d_grad_input(const ConvShape& shape, const T* gy, const T* weight, T* gx, void* workspace,
                       Isa level = isa());

/// The same, but 0 where the mask, which lies like gx and may be gx, is not positive.
template <class T>
size_t masked_conv2d_grad_input_workspace(const ConvShape& shape);
template <class T>
void masked_conv2d_grad_input(const ConvShape& shape, const T* gy, const T* weight, const T* mask,
                              T* gx, void* workspace, Isa level = isa());

/// gw = the gradient of sum(gy * conv(x, weight)) with respect to weight.
template <class T>
size_t conv2d_grad_weight_workspace(const ConvShape& shape);
template <class T>
void conv2d_grad_weight(const ConvShape& shape, const T* x, const T* gy, T* gw, void* workspace,
                        Isa level = isa());

}  // namespace reprise::cpu
