#pragma once
// Pooling over windows of images [N, C, H, W], dense in one memory format.

#include "../op.h"

namespace reprise {

struct MaxPoolAttributes {
  Pair kernel_size = 1, stride = 1, padding = 0, dilation = 1;
  bool ceil_mode = false;
  static constexpr bool follows_format = true, channels_last_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("kernel_size", kernel_size), Attr("stride", stride),
                      Attr("padding", padding), Attr("dilation", dilation),
                      Attr("ceil_mode", ceil_mode));
  }
};

/// x -> (y, indices): the largest value of each window and where it stood, as h * W + w (int64).
/// The first of equal values wins; NaN counts as largest.
struct MaxPool2d : MaxPoolAttributes {
  static constexpr std::string_view name = "max_pool2d";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_out = 0b10;
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (gy, indices) -> gx: each gradient added where its value stood, in an image of `size` (H, W).
/// The attributes are those of the pooling. Index error for an index outside of the image; a CUDA
/// device adds nothing for one outside of its window.
struct MaxPool2dGrad : MaxPoolAttributes {
  Pair size = 0;
  static constexpr std::string_view name = "max_pool2d_grad";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_in = 0b10;
  auto tie() const {
    return std::tuple_cat(MaxPoolAttributes::tie(), std::tuple(Attr("size", size)));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (x, indices) -> the values of x at the indices: the transpose of MaxPool2dGrad. The attributes
/// are those of the pooling that made the indices.
struct MaxPool2dGather : MaxPoolAttributes {
  static constexpr std::string_view name = "max_pool2d_gather";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_in = 0b10;
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

struct AvgPoolAttributes {
  Pair kernel_size = 1, stride = 1, padding = 0;
  bool ceil_mode = false, count_include_pad = true;
  int64_t divisor_override = 0;  ///< 0: the number of elements in the window
  static constexpr bool follows_format = true, channels_last_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("kernel_size", kernel_size), Attr("stride", stride),
                      Attr("padding", padding), Attr("ceil_mode", ceil_mode),
                      Attr("count_include_pad", count_include_pad),
                      Attr("divisor_override", divisor_override));
  }
};

/// x -> the mean of each window.
struct AvgPool2d : AvgPoolAttributes {
  static constexpr std::string_view name = "avg_pool2d";
  static constexpr bool half_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// gy -> gx in an image of `size` (H, W): the transpose of AvgPool2d.
struct AvgPool2dGrad : AvgPoolAttributes {
  Pair size = 0;
  static constexpr std::string_view name = "avg_pool2d_grad";
  static constexpr bool half_on_cuda = true;
  auto tie() const {
    return std::tuple_cat(AvgPoolAttributes::tie(), std::tuple(Attr("size", size)));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
