#include "../../data/synthetic_shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "../io/expect_error.h"

namespace reprise {
namespace {

using Image = std::vector<float>;

Image image_of(const Dataset& set, int64_t index) {
  Image image(3 * 32 * 32);
  set.get(index, image.data());
  return image;
}

TEST(SyntheticShapes, AnImageDependsOnSeedAndPlaceAlone) {
  const SyntheticShapes set(10, 1), later(5, 1, 5), other(10, 2);
  EXPECT_EQ(image_of(set, 7), image_of(set, 7));
  EXPECT_EQ(image_of(set, 7), image_of(later, 2));
  EXPECT_NE(image_of(set, 7), image_of(set, 6));
  EXPECT_NE(image_of(set, 7), image_of(other, 7));
}

TEST(SyntheticShapes, TenClassesInTurn) {
  const SyntheticShapes set(30, 0, 5);
  EXPECT_EQ(set.classes().size(), 10U);
  Image image(3 * 32 * 32);
  for (int64_t i = 0; i < set.size(); ++i) EXPECT_EQ(set.get(i, image.data()), (i + 5) % 10);
}

TEST(SyntheticShapes, ValuesFillTheRange) {
  const SyntheticShapes set(200);
  float low = 1, high = 0;
  for (int64_t i = 0; i < set.size(); ++i) {
    const Image image = image_of(set, i);
    const auto [least, most] = std::minmax_element(image.begin(), image.end());
    low = std::min(low, *least);
    high = std::max(high, *most);
  }
  EXPECT_EQ(low, 0);
  EXPECT_EQ(high, 1);
}

/// Shapes are brighter than what is behind them, so large ones make bright images: a disc covers
/// more than a ring.
TEST(SyntheticShapes, ShapesAreDrawnOverTheBackground) {
  const SyntheticShapes set(2000);
  std::vector<double> sums(10);
  for (int64_t i = 0; i < set.size(); ++i) {
    const Image image = image_of(set, i);
    sums[static_cast<size_t>(i % 10)] += std::accumulate(image.begin(), image.end(), 0.0);
  }
  EXPECT_GT(sums[0], 1.02 * sums[1]);
  EXPECT_GT(sums[2], 1.02 * sums[3]);
}

TEST(SyntheticShapes, NegativeCountsAreErrors) {
  testing::expect_error(ErrorKind::Value, "got -1 and 0", [] { SyntheticShapes(-1); });
  testing::expect_error(ErrorKind::Value, "got 1 and -2", [] { SyntheticShapes(1, 0, -2); });
}

TEST(FirstImages, CutsASet) {
  const auto set = std::make_shared<SyntheticShapes>(10);
  EXPECT_EQ(FirstImages(set, 4).size(), 4);
  EXPECT_EQ(FirstImages(set, 40).size(), 10);
  EXPECT_EQ(image_of(FirstImages(set, 4), 3), image_of(*set, 3));
  testing::expect_error(ErrorKind::Value, "got -1", [&] { FirstImages(set, -1); });
}

}  // namespace
}  // namespace reprise
