// The choice of the implementation, best first; empty problems are answered here.

#include "conv_kernels.h"

#include <algorithm>

#include "conv_paths.h"

namespace reprise::cpu {

namespace {

int64_t y_count(const ConvShape& s) { return s.batch * s.out_channels * s.out_h() * s.out_w(); }
int64_t x_count(const ConvShape& s) { return s.batch * s.in_channels * s.height * s.width; }
int64_t weight_count(const ConvShape& s) {
  return s.out_channels * (s.in_channels / s.groups) * s.kernel_h * s.kernel_w;
}

}  // namespace

template <class T>
size_t conv2d_workspace(const ConvShape& s) {
  return direct_serves(s) ? direct_workspace<T>(s) : general_workspace<T>(s);
}

template <class T>
void conv2d(const ConvShape& s, const T* x, const T* weight, const T* bias, T* y, void* workspace,
            Isa level) {
  fused_conv2d(s, x, weight, false, {.bias = bias}, y, workspace, level);
}

template <class T>
void fused_conv2d(const ConvShape& s, const T* x, const T* weight, bool packed,
                  const ConvTail<T>& tail, T* y, void* workspace, Isa level) {
  if (y_count(s) == 0) return;
  if (direct_serves(s)) return direct(s, x, weight, packed, tail, y, workspace, level);
  general(s, x, weight, tail, y, workspace, level);
}

template <class T>
void pack_conv2d_weight(const ConvShape& s, const T* weight, T* packed, Isa level) {
  constexpr int64_t lanes = 128 / sizeof(T);
  const int64_t depth = s.in_channels / s.groups * s.kernel_h * s.kernel_w;
  std::fill_n(packed, ceil_div(s.out_channels, lanes) * lanes * depth, T(0));
  if (direct_serves(s)) return direct_pack(s, weight, packed, level);
  std::copy_n(weight, weight_count(s), packed);
}

template <class T>
size_t conv2d_grad_input_workspace(const ConvShape& s) {
  return direct_grad_input_serves(s) ? direct_grad_input_workspace<T>(s)
                                     : general_grad_input_workspace<T>(s, false);
}

template <class T>
void conv2d_grad_input(const ConvShape& s, const T* gy, const T* weight, T* gx, void* workspace,
                       Isa level) {
  masked_conv2d_grad_input<T>(s, gy, weight, nullptr, gx, workspace, level);
}

template <class T>
size_t masked_conv2d_grad_input_workspace(const ConvShape& s) {
  return direct_grad_input_serves(s) ? direct_grad_input_workspace<T>(s)
                                     : general_grad_input_workspace<T>(s, true);
}

template <class T>
void masked_conv2d_grad_input(const ConvShape& s, const T* gy, const T* weight, const T* mask,
                              T* gx, void* workspace, Isa level) {
  if (x_count(s) == 0) return;
  if (y_count(s) == 0) return static_cast<void>(std::fill_n(gx, x_count(s), T(0)));
  if (direct_grad_input_serves(s)) {
    return direct_grad_input(s, gy, weight, mask, gx, workspace, level);
  }
  general_grad_input(s, gy, weight, mask, gx, workspace, level);
}

template <class T>
size_t conv2d_grad_weight_workspace(const ConvShape& s) {
  return direct_grad_weight_serves(s) ? direct_grad_weight_workspace<T>(s)
                                      : general_grad_weight_workspace<T>(s);
}

template <class T>
void conv2d_grad_weight(const ConvShape& s, const T* x, const T* gy, T* gw, void* workspace,
                        Isa level) {
  if (weight_count(s) == 0) return;
  if (y_count(s) == 0) return static_cast<void>(std::fill_n(gw, weight_count(s), T(0)));
  if (direct_grad_weight_serves(s)) return direct_grad_weight(s, x, gy, gw, workspace, level);
  general_grad_weight(s, x, gy, gw, workspace, level);
}

template size_t conv2d_workspace<float>(const ConvShape&);
template size_t conv2d_workspace<double>(const ConvShape&);
template void conv2d(const ConvShape&, const float*, const float*, const float*, float*, void*,
                     Isa);
template void conv2d(const ConvShape&, const double*, const double*, const double*, double*, void*,
                     Isa);
template void fused_conv2d(const ConvShape&, const float*, const float*, bool,
                           const ConvTail<float>&, float*, void*, Isa);
template void fused_conv2d(const ConvShape&, const double*, const double*, bool,
                           const ConvTail<double>&, double*, void*, Isa);
template void pack_conv2d_weight(const ConvShape&, const float*, float*, Isa);
template void pack_conv2d_weight(const ConvShape&, const double*, double*, Isa);
template size_t conv2d_grad_input_workspace<float>(const ConvShape&);
template size_t conv2d_grad_input_workspace<double>(const ConvShape&);
template void conv2d_grad_input(const ConvShape&, const float*, const float*, float*, void*, Isa);
template void conv2d_grad_input(const ConvShape&, const double*, const double*, double*, void*,
                                Isa);
template size_t masked_conv2d_grad_input_workspace<float>(const ConvShape&);
template size_t masked_conv2d_grad_input_workspace<double>(const ConvShape&);
template void masked_conv2d_grad_input(const ConvShape&, const float*, const float*, const float*,
                                       float*, void*, Isa);
template void masked_conv2d_grad_input(const ConvShape&, const double*, const double*,
                                       const double*, double*, void*, Isa);
template size_t conv2d_grad_weight_workspace<float>(const ConvShape&);
template size_t conv2d_grad_weight_workspace<double>(const ConvShape&);
template void conv2d_grad_weight(const ConvShape&, const float*, const float*, float*, void*, Isa);
template void conv2d_grad_weight(const ConvShape&, const double*, const double*, double*, void*,
                                 Isa);

}  // namespace reprise::cpu
