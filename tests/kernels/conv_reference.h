#pragma once
// The plain convolution and its gradients that conv_kernels.h is held against: nested loops, sums
// in double. All three walk the same pairs of pixels.

#include <vector>

#include "../../kernels/cpu/conv_kernels.h"

namespace reprise::cpu {

/// Calls f(index in x, index in weight, index in y) for every product of the convolution.
template <class F>
void for_conv_products(const ConvShape& s, F&& f) {
  const int64_t in = s.in_channels / s.groups, out = s.out_channels / s.groups;
  const int64_t out_h = s.out_h(), out_w = s.out_w();
  for (int64_t n = 0; n < s.batch; ++n) {
    for (int64_t o = 0; o < s.out_channels; ++o) {
      for (int64_t i = 0; i < out_h; ++i) {
        for (int64_t j = 0; j < out_w; ++j) {
          for (int64_t c = 0; c < in; ++c) {
            for (int64_t kh = 0; kh < s.kernel_h; ++kh) {
              for (int64_t kw = 0; kw < s.kernel_w; ++kw) {
                const int64_t h = i * s.stride_h - s.pad_h + kh * s.dilation_h;
                const int64_t w = j * s.stride_w - s.pad_w + kw * s.dilation_w;
                if (h < 0 || h >= s.height || w < 0 || w >= s.width) continue;
                const int64_t channel = o / out * in + c;
                f(((n * s.in_channels + channel) * s.height + h) * s.width + w,
                  ((o * in + c) * s.kernel_h + kh) * s.kernel_w + kw,
                  ((n * s.out_channels + o) * out_h + i) * out_w + j);
              }
            }
          }
        }
      }
    }
  }
}

template <class T>
std::vector<double> conv2d_reference(const ConvShape& s, const T* x, const T* weight,
                                     const T* bias) {
  const int64_t pixels = s.out_h() * s.out_w();
  std::vector<double> y(static_cast<size_t>(s.batch * s.out_channels * pixels));
  for (size_t i = 0; bias && i < y.size(); ++i) {
    y[i] = bias[static_cast<int64_t>(i) / pixels % s.out_channels];
  }
  for_conv_products(s, [&](int64_t ix, int64_t iw, int64_t iy) {
    y[static_cast<size_t>(iy)] += static_cast<double>(x[ix]) * weight[iw];
  });
  return y;
}

template <class T>
std::vector<double> conv2d_grad_input_reference(const ConvShape& s, const T* gy, const T* weight) {
  std::vector<double> gx(static_cast<size_t>(s.batch * s.in_channels * s.height * s.width));
  for_conv_products(s, [&](int64_t ix, int64_t iw, int64_t iy) {
    gx[static_cast<size_t>(ix)] += static_cast<double>(gy[iy]) * weight[iw];
  });
  return gx;
}

template <class T>
std::vector<double> conv2d_grad_weight_reference(const ConvShape& s, const T* x, const T* gy) {
  const int64_t count = s.out_channels * (s.in_channels / s.groups) * s.kernel_h * s.kernel_w;
  std::vector<double> gw(static_cast<size_t>(count));
  for_conv_products(s, [&](int64_t ix, int64_t iw, int64_t iy) {
    gw[static_cast<size_t>(iw)] += static_cast<double>(x[ix]) * gy[iy];
  });
  return gw;
}

}  // namespace reprise::cpu
