#pragma once
// A set of labelled images, read by index.

#include <memory>
#include <string>
#include <vector>

#include "../core/shape.h"

namespace reprise {

/// Reading must be safe from several threads at once.
class REPRISE_API Dataset {
 public:
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  /// [C, H, W]
  virtual Shape image_shape() const = 0;
  /// The name of each class; labels are indices into it.
  virtual const std::vector<std::string>& classes() const = 0;
  /// Writes image `index`, in [0, size()), to `image`: C * H * W values from 0 to 1, row-major.
  /// Returns its label.
  virtual int64_t get(int64_t index, float* image) const = 0;
};

using DatasetRef = std::shared_ptr<const Dataset>;

/// The first `count` images of another set (all, if it has fewer).
class REPRISE_API FirstImages final : public Dataset {
 public:
  /// Value error when `count` is negative.
  FirstImages(DatasetRef all, int64_t count);

  int64_t size() const override { return size_; }
  Shape image_shape() const override { return all_->image_shape(); }
  const std::vector<std::string>& classes() const override { return all_->classes(); }
  int64_t get(int64_t index, float* image) const override { return all_->get(index, image); }

 private:
  DatasetRef all_;
  int64_t size_;
};

}  // namespace reprise
