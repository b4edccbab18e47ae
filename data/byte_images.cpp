#include "byte_images.h"

namespace reprise {

int64_t ByteImages::get(int64_t index, float* image) const {
  const int64_t count = shape_.numel();
  const uint8_t* pixels = pixels_.data() + index * count;
  for (int64_t i = 0; i < count; ++i) image[i] = static_cast<float>(pixels[i]) / 255;
  return labels_[static_cast<size_t>(index)];
}

}  // namespace reprise
