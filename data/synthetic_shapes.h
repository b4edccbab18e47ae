#pragma once
// Ten shapes with random place, size, colours, rotation, noise and clutter, drawn when asked for:
// a data set that needs no file.

#include "dataset.h"

namespace reprise {

/// `count` colour images of 32x32 pixels, ten classes in turn. Image i depends only on `seed` and
/// `offset` + i, so sets of one seed that do not overlap share no image.
class REPRISE_API SyntheticShapes final : public Dataset {
 public:
  /// Value error when `count` or `offset` is negative.
  explicit SyntheticShapes(int64_t count, uint64_t seed = 0, int64_t offset = 0);

  int64_t size() const override { return count_; }
  Shape image_shape() const override { return {3, 32, 32}; }
  const std::vector<std::string>& classes() const override;
  int64_t get(int64_t index, float* image) const override;

 private:
  int64_t count_;
  uint64_t seed_;
  int64_t offset_;
};

}  // namespace reprise
