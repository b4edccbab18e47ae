#include "../../data/data_loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "../../core/parallel.h"
#include "../io/expect_error.h"

namespace reprise {
namespace {

using testing::expect_error;

/// Image i is [[[i, i]], [[10 i, 10 i]]] and has the label i.
class Counting final : public Dataset {
 public:
  explicit Counting(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  Shape image_shape() const override { return {2, 1, 2}; }
  const std::vector<std::string>& classes() const override { return names_; }
  int64_t get(int64_t index, float* image) const override {
    const auto value = static_cast<float>(index);
    std::fill_n(image, 2, value);
    std::fill_n(image + 2, 2, 10 * value);
    return index;
  }

 private:
  int64_t size_;
  std::vector<std::string> names_;
};

DataLoader loader_of(int64_t size, const DataLoaderOptions& options) {
  return DataLoader(std::make_shared<Counting>(size), options);
}

std::vector<int64_t> labels_of_epoch(DataLoader& loader) {
  std::vector<int64_t> all;
  for (const auto& [images, labels] : loader) {
    const auto some = labels.to_vector<int64_t>();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<int64_t> numbers(int64_t count) {
  std::vector<int64_t> list(static_cast<size_t>(count));
  std::iota(list.begin(), list.end(), 0);
  return list;
}

TEST(DataLoader, BatchesInOrder) {
  DataLoader loader = loader_of(5, {.batch_size = 2});
  EXPECT_EQ(loader.size(), 3);
  std::vector<Shape> shapes;
  for (const auto& [images, labels] : loader) {
    shapes.push_back(images.shape());
    EXPECT_EQ(labels.shape(), Shape{images.size(0)});
    EXPECT_EQ(images.dtype(), float32);
    EXPECT_EQ(labels.dtype(), int64);
  }
  EXPECT_EQ(shapes, (std::vector<Shape>{{2, 2, 1, 2}, {2, 2, 1, 2}, {1, 2, 1, 2}}));
  EXPECT_EQ(labels_of_epoch(loader), numbers(5));
}

TEST(DataLoader, ImagesBelongToTheirLabels) {
  DataLoader loader = loader_of(3, {.batch_size = 3});
  const Batch batch = *loader.begin();
  EXPECT_EQ(batch.images.to_vector<int>(),
            (std::vector<int>{0, 0, 0, 0, 1, 1, 10, 10, 2, 2, 20, 20}));
}

TEST(DataLoader, LastBatchMayBeLeftOut) {
  DataLoader loader = loader_of(5, {.batch_size = 2, .drop_last = true});
  EXPECT_EQ(loader.size(), 2);
  EXPECT_EQ(labels_of_epoch(loader), numbers(4));
}

TEST(DataLoader, NoImagesNoBatches) {
  DataLoader loader = loader_of(0, {.batch_size = 2, .shuffle = true});
  EXPECT_EQ(loader.size(), 0);
  EXPECT_TRUE(labels_of_epoch(loader).empty());
}

TEST(DataLoader, EachEpochIsANewPermutation) {
  DataLoader loader = loader_of(100, {.batch_size = 7, .shuffle = true, .seed = 3});
  const auto first = labels_of_epoch(loader), second = labels_of_epoch(loader);
  EXPECT_NE(first, numbers(100));
  EXPECT_NE(first, second);
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), numbers(100).begin()));
  loader.set_epoch(1);
  EXPECT_EQ(labels_of_epoch(loader), second);
}

TEST(DataLoader, SeedAndEpochDecideTheOrder) {
  DataLoader same = loader_of(50, {.shuffle = true, .seed = 3});
  DataLoader again = loader_of(50, {.shuffle = true, .seed = 3});
  DataLoader other = loader_of(50, {.shuffle = true, .seed = 4});
  const auto order = labels_of_epoch(same);
  EXPECT_EQ(labels_of_epoch(again), order);
  EXPECT_NE(labels_of_epoch(other), order);
}

/// Each of the 6 orders of 3 images comes up about equally often.
TEST(DataLoader, OrdersAreEquallyLikely) {
  DataLoader loader = loader_of(3, {.batch_size = 3, .shuffle = true});
  std::vector<int> count(3 * 3);
  constexpr int kEpochs = 3000;
  for (int i = 0; i < kEpochs; ++i) {
    const auto order = labels_of_epoch(loader);
    ++count[static_cast<size_t>(3 * order[0] + order[1])];
  }
  for (const size_t same : {0, 4, 8}) EXPECT_EQ(count[same], 0);
  for (const size_t order : {1, 2, 3, 5, 6, 7}) EXPECT_NEAR(count[order], kEpochs / 6, 100);
}

TEST(DataLoader, Normalises) {
  DataLoader loader = loader_of(2, {.batch_size = 2, .mean = {1, 5}, .std = {0.5, 5}});
  const Batch batch = *loader.begin();
  EXPECT_EQ(batch.images.to_vector<double>(), (std::vector<double>{-2, -2, -1, -1, 0, 0, 1, 1}));
}

TEST(DataLoader, ThreadsDoNotMatter) {
  const int before = num_threads();
  std::vector<std::vector<float>> runs;
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    DataLoader loader = loader_of(100, {.batch_size = 100, .shuffle = true});
    runs.push_back((*loader.begin()).images.to_vector<float>());
  }
  set_num_threads(before);
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(DataLoader, BadOptionsAreErrors) {
  expect_error(ErrorKind::Value, "batch size of at least 1, got 0",
               [] { loader_of(1, {.batch_size = 0}); });
  expect_error(ErrorKind::Value, "each of 2 channels, got 1 and 2", [] {
    loader_of(1, {.mean = {1}, .std = {1, 1}});
  });
  expect_error(ErrorKind::Value, "every std above 0, got 0", [] {
    loader_of(1, {.mean = {1, 1}, .std = {1, 0}});
  });
}

}  // namespace
}  // namespace reprise
