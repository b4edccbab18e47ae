#pragma once
// Images with one byte for each value, held in memory: what MNIST and CIFAR-10 become.

#include <cstdint>

#include "dataset.h"

namespace reprise {

class REPRISE_API ByteImages : public Dataset {
 public:
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  Shape image_shape() const override { return shape_; }
  const std::vector<std::string>& classes() const override { return classes_; }
  int64_t get(int64_t index, float* image) const override;

 protected:
  ByteImages(const Shape& image_shape, std::vector<std::string> classes)
      : shape_(image_shape), classes_(std::move(classes)) {}

  Shape shape_;
  std::vector<std::string> classes_;
  std::vector<uint8_t> pixels_;  ///< [size, C, H, W]
  std::vector<uint8_t> labels_;
};

}  // namespace reprise
