// Division by multiplication, and the places that kernels find with it.

#include "device.h"

#include <gtest/gtest.h>

#include <random>

#include "../../kernels/cuda/offsets.cuh"

namespace reprise::cuda {
namespace {

template <class Count>
std::vector<Count> numbers() {
  constexpr int kBits = 8 * sizeof(Count) - 1;
  std::vector<Count> out{0, 1, 2, 3, 5, 6, 7, 641, 65537};
  std::mt19937_64 random(1);
  for (int bit = 2; bit < kBits; ++bit) {
    const Count power = Count{1} << bit;
    out.insert(out.end(), {power - 1, power, power + 1});
    out.push_back(power + static_cast<Count>(random()) % power);
  }
  out.push_back((Count{1} << kBits) - 1);
  return out;
}

template <class Count>
void expect_exact_quotients() {
  constexpr Count kEnd = Count{1} << (8 * sizeof(Count) - 1);
  std::vector<Count> divisors = numbers<Count>();
  divisors.push_back(kEnd);
  for (const Count d : divisors) {
    if (d == 0) continue;
    const Divider<Count> divider(d);
    for (const Count n : numbers<Count>()) {
      const Count multiple = n / d * d;
      for (const Count at : {n, multiple, multiple - 1, multiple + (d - 1)}) {
        if (at >= kEnd) continue;
        ASSERT_EQ(divider.quotient(at), at / d) << at << " / " << d;
      }
    }
  }
}

TEST(Divider, DividesExactly) {
  expect_exact_quotients<uint32_t>();
  expect_exact_quotients<uint64_t>();
}

struct Case {
  Shape shape;
  Strides strides[2];
  int dims;  // that are left
};

TEST(Offsets, LeadToElementsInRowMajorOrder) {
  const std::vector<Case> cases{
      {{}, {{}, {}}, 0},
      {{1, 1}, {{7, 7}, {0, 0}}, 0},
      {{6}, {{1}, {0}}, 1},
      {{2, 3, 4}, {{12, 4, 1}, {24, 8, 2}}, 1},
      {{2, 3, 4}, {{12, 4, 1}, {4, 8, 1}}, 3},
      {{5, 1, 7}, {{1, 9, 5}, {-7, 9, -1}}, 2},
      {{2, 3, 2, 2, 1, 3, 2, 2}, {{1, 2, 48, 24, 0, 96, 12, 6}, {0, 1, 0, 3, 9, 0, 6, 0}}, 7}};
  for (const Case& c : cases) {
    const Offsets<2> offsets = offsets_of<2>(c.shape, c.strides);
    EXPECT_EQ(offsets.dims, c.dims);
    const int64_t n = Meta(c.shape, float32).numel();
    for (int64_t i = 0; i < n; ++i) {
      const auto place = offsets(i);
      for (int k = 0; k < 2; ++k) {
        int64_t expected = 0, rest = i;
        for (size_t d = c.shape.size(); d-- > 0; rest /= c.shape[d])
          expected += rest % c.shape[d] * c.strides[k][d];
        ASSERT_EQ(place.of[k], expected) << "element " << i << " of " << to_string(c.shape);
        ASSERT_EQ(offsets.in_operand(k, static_cast<uint64_t>(i)), expected);
      }
    }
  }
}

}  // namespace
}  // namespace reprise::cuda
