#include "../../data/cifar10.h"

#include <gtest/gtest.h>

#include "../io/expect_error.h"
#include "../io/temporary_folder.h"

namespace reprise {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

std::string record(char label, char value) { return label + std::string(3072, value); }

TEST(Cifar10, ReadsTheBatchesThatAreThere) {
  const TemporaryFolder folder;
  folder.write("data_batch_1.bin", record(3, '\x33') + record(9, '\0'));
  folder.write("data_batch_4.bin", record(5, '\xff'));
  folder.write("test_batch.bin", record(1, '\0'));
  const Cifar10 train(folder.path()), test(folder.path(), false);
  EXPECT_EQ(train.size(), 3);
  EXPECT_EQ(test.size(), 1);
  EXPECT_EQ(train.image_shape(), Shape({3, 32, 32}));
  std::vector<float> image(3072);
  EXPECT_EQ(train.classes()[static_cast<size_t>(train.get(0, image.data()))], "cat");
  EXPECT_EQ(image, std::vector<float>(3072, 0.2F));
  EXPECT_EQ(train.get(2, image.data()), 5);
  EXPECT_EQ(image, std::vector<float>(3072, 1.0F));
}

TEST(Cifar10, BadFilesAreErrors) {
  const TemporaryFolder folder;
  const auto load = [&] { Cifar10(folder.path()); };
  expect_error(ErrorKind::Io, "data_batch_1.bin: cannot be read: No such file", load);
  folder.write("data_batch_1.bin", "");
  expect_error(ErrorKind::Format, "data_batch_1.bin: is truncated or no CIFAR-10 file", load);
  folder.write("data_batch_1.bin", record(1, 'a').substr(1));
  expect_error(ErrorKind::Format, "records of 3073 bytes, got 3072 bytes", load);
  folder.write("data_batch_1.bin", record(10, 'a'));
  expect_error(ErrorKind::Format, "expected labels from 0 to 9, got 10", load);
}

TEST(Cifar10, TheRealOne) {
  const char* shared = std::getenv("REPRISE_SHARED");
  const std::string folder = text(shared == nullptr ? "" : shared, "/data/cifar10");
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no data: REPRISE_SHARED is not set";
  const Cifar10 train(folder), test(folder, false);
  EXPECT_EQ(train.size(), 10000);
  EXPECT_EQ(test.size(), 2000);
  std::vector<float> image(3072);
  std::vector<int> count(10);
  for (int64_t i = 0; i < train.size(); ++i) {
    ++count[static_cast<size_t>(train.get(i, image.data()))];
  }
  EXPECT_EQ(count, std::vector<int>(10, 1000));
}

}  // namespace
}  // namespace reprise
