#pragma once
// The ten shapes of SyntheticShapes as distance functions: how far (u, v) is outside of the
// outline, negative inside. Each shape fills about the unit circle.

#include <algorithm>
#include <array>
#include <cmath>

namespace reprise::outline {

inline float length(float u, float v) { return std::sqrt(u * u + v * v); }
inline float box(float u, float v, float w, float h) {
  return std::max(std::abs(u) - w, std::abs(v) - h);
}

inline float disc(float u, float v) { return length(u, v) - 0.9F; }
inline float ring(float u, float v) { return std::abs(length(u, v) - 0.75F) - 0.2F; }
inline float square(float u, float v) { return box(u, v, 0.78F, 0.78F); }
inline float frame(float u, float v) { return std::abs(box(u, v, 0.65F, 0.65F)) - 0.18F; }
inline float half_disc(float u, float v) { return std::max(length(u, v - 0.4F) - 1, v - 0.4F); }
inline float bars(float u, float v) { return box(u, std::abs(v) - 0.6F, 0.9F, 0.28F); }

inline float triangle(float u, float v) {
  const float slanted = 0.8660254F * std::abs(u) + 0.5F * v;  // two sides at once, by symmetry
  return std::max(slanted, -v) - 0.55F;
}

inline float plus(float u, float v) {
  return std::min(box(u, v, 0.95F, 0.3F), box(u, v, 0.3F, 0.95F));
}

inline float crescent(float u, float v) {
  return std::max(length(u, v) - 1, 0.8F - length(u - 0.55F, v));
}

/// The five lines of a pentagram: a point of the star is beyond at most one of them, so the second
/// largest distance decides.
inline float star(float u, float v) {
  constexpr std::array<std::array<float, 2>, 5> kNormals{{{0, 1},
                                                          {0.95105652F, 0.30901699F},
                                                          {0.58778525F, -0.80901699F},
                                                          {-0.58778525F, -0.80901699F},
                                                          {-0.95105652F, 0.30901699F}}};
  float first = -2, second = -2;
  for (const auto& [x, y] : kNormals) {
    const float distance = u * x + v * y;
    second = std::max(second, std::min(first, distance));
    first = std::max(first, distance);
  }
  return second - 0.36F;
}

struct Outline {
  const char* name;
  float (*distance)(float u, float v);
};

inline constexpr std::array<Outline, 10> kOutlines{{{"disc", disc},
                                                    {"ring", ring},
                                                    {"square", square},
                                                    {"frame", frame},
                                                    {"triangle", triangle},
                                                    {"plus", plus},
                                                    {"star", star},
                                                    {"crescent", crescent},
                                                    {"half disc", half_disc},
                                                    {"bars", bars}}};

}  // namespace reprise::outline
