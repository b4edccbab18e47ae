#pragma once
// Max pooling that remembers where the largest values stood within their windows, a byte each. Made
// by graph passes, after differentiation: it has no gradient.

#include "pool.h"

namespace reprise {

/// A place within a window must fit a byte.
inline constexpr int64_t kMostWindowPlaces = 256;

/// x -> (y, places): MaxPool2d, but where the largest value stood is a row of the window times its
/// columns plus a column (uint8). Windows have at most kMostWindowPlaces elements and no dilation.
struct FusedMaxPool2d : MaxPoolAttributes {
  static constexpr std::string_view name = "fused_max_pool2d";
  static constexpr bool half_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (gy, places) -> gx: each gradient added where its value stood, in an image of `size` (H, W). The
/// attributes are those of the pooling. Index error for a place that is none in its window.
struct FusedMaxPool2dGrad : MaxPoolAttributes {
  Pair size = 0;
  static constexpr std::string_view name = "fused_max_pool2d_grad";
  static constexpr bool half_on_cuda = true;
  auto tie() const {
    return std::tuple_cat(MaxPoolAttributes::tie(), std::tuple(Attr("size", size)));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
