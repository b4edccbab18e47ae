#include "synthetic_shapes.h"

#include <numbers>

#include "../core/philox.h"
#include "outlines.h"

namespace reprise {
namespace {

constexpr int kSide = 32, kPixels = kSide * kSide;
constexpr uint64_t kBlocksPerImage = 256;

using Colour = std::array<float, 3>;

/// The random numbers of one image, one after another.
class Dice {
 public:
  Dice(uint64_t seed, uint64_t image) : seed_(seed), next_(image * kBlocksPerImage) {}

  RandomBlock block() { return random_block(seed_, next_++); }
  float roll(float low, float high) {
    if (lane_ == 4) block_ = block(), lane_ = 0;
    return low + (high - low) * uniform<float>(block_, lane_++);
  }

 private:
  uint64_t seed_, next_;
  RandomBlock block_{};
  int lane_ = 4;
};

Colour random_colour(Dice& dice, float low, float high) {
  Colour colour;
  for (float& c : colour) c = dice.roll(low, high);
  return colour;
}

/// The middle of pixel i.
struct Point {
  float x, y;
};
Point middle_of(int i) {
  const int row = i / kSide;
  return {static_cast<float>(i % kSide) + 0.5F, static_cast<float>(row) + 0.5F};
}

/// Blends `colour` over the pixels where distance(x, y), in pixels, is negative; edges are smooth.
template <class Distance>
void paint(float* image, const Colour& colour, Distance distance) {
  for (int i = 0; i < kPixels; ++i) {
    const auto [x, y] = middle_of(i);
    const float cover = std::clamp(0.5F - distance(x, y), 0.0F, 1.0F);
    for (int c = 0; c < 3; ++c) {
      float& value = image[c * kPixels + i];
      value += cover * (colour[static_cast<size_t>(c)] - value);
    }
  }
}

/// From one colour to another across the image, in a random direction.
void paint_background(float* image, Dice& dice, const Colour& from) {
  constexpr float kShade = 0.15F;
  Colour slope_x, slope_y;
  for (size_t c = 0; c < 3; ++c) {
    slope_x[c] = dice.roll(-kShade, kShade) / kSide;
    slope_y[c] = dice.roll(-kShade, kShade) / kSide;
  }
  for (size_t c = 0; c < 3; ++c) {
    for (int i = 0; i < kPixels; ++i) {
      const auto [x, y] = middle_of(i);
      *image++ = from[c] + slope_x[c] * (x - kSide / 2.0F) + slope_y[c] * (y - kSide / 2.0F);
    }
  }
}

/// A short line somewhere.
void paint_scratch(float* image, Dice& dice) {
  const float x0 = dice.roll(0, kSide), y0 = dice.roll(0, kSide);
  const float dx = dice.roll(-8, 8), dy = dice.roll(-8, 8);
  const float scale = 1 / (dx * dx + dy * dy + 1);
  paint(image, random_colour(dice, 0, 1), [&](float x, float y) {
    const float along = std::clamp(((x - x0) * dx + (y - y0) * dy) * scale, 0.0F, 1.0F);
    return outline::length(x - x0 - along * dx, y - y0 - along * dy) - 0.6F;
  });
}

void paint_shape(float* image, Dice& dice, const outline::Outline& shape, const Colour& colour) {
  const float radius = dice.roll(6.5F, 12), margin = radius + 1;
  const float x0 = dice.roll(margin, kSide - margin), y0 = dice.roll(margin, kSide - margin);
  const float angle = dice.roll(0, 2 * std::numbers::pi_v<float>);
  const float cos = std::cos(angle) / radius, sin = std::sin(angle) / radius;
  paint(image, colour, [&](float x, float y) {
    const float u = cos * (x - x0) + sin * (y - y0), v = cos * (y - y0) - sin * (x - x0);
    return radius * shape.distance(u, v);
  });
}

/// Grain of an even distribution, one random byte a value; keeps the image within 0 and 1.
void add_noise(float* image, Dice& dice) {
  const float scale = dice.roll(0.05F, 0.3F) / 255;
  for (int i = 0; i < 3 * kPixels; i += 16) {
    const RandomBlock block = dice.block();
    for (int k = 0; k < 16; ++k) {
      const auto byte = static_cast<int>(block.word[k / 4] >> (8 * (k % 4)) & 255);
      image[i + k] =
          std::clamp(image[i + k] + scale * static_cast<float>(2 * byte - 255), 0.F, 1.F);
    }
  }
}

}  // namespace

SyntheticShapes::SyntheticShapes(int64_t count, uint64_t seed, int64_t offset)
    : count_(count), seed_(seed), offset_(offset) {
  check(count >= 0 && offset >= 0, ErrorKind::Value,
        "synthetic shapes: expected a count and an offset of at least 0, got ", count, " and ",
        offset);
}

const std::vector<std::string>& SyntheticShapes::classes() const {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    list.reserve(outline::kOutlines.size());
    for (const auto& shape : outline::kOutlines) list.emplace_back(shape.name);
    return list;
  }();
  return names;
}

int64_t SyntheticShapes::get(int64_t index, float* image) const {
  const auto number = static_cast<uint64_t>(index + offset_);
  const size_t label = number % outline::kOutlines.size();
  Dice dice(seed_, number);
  const Colour background = random_colour(dice, 0, 0.5F);
  const Colour foreground = random_colour(dice, 0.5F, 1);
  const auto scratches = static_cast<int>(dice.roll(0, 4));
  paint_background(image, dice, background);
  for (int i = 0; i < scratches; ++i) paint_scratch(image, dice);
  paint_shape(image, dice, outline::kOutlines[label], foreground);
  add_noise(image, dice);
  return static_cast<int64_t>(label);
}

}  // namespace reprise
