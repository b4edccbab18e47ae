#include "../../data/mnist.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <numeric>

#include "../io/expect_error.h"
#include "../io/temporary_folder.h"

namespace reprise {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

const std::string kImages = "train-images-idx3-ubyte", kLabels = "train-labels-idx1-ubyte";

std::string idx(const std::vector<uint32_t>& sizes, const std::string& values) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
  for (const uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  }
  return bytes + values;
}

/// Two images, all pixels 51 and all 255, labels 7 and 2.
std::string two_images() {
  return idx({2, 28, 28}, std::string(784, '\x33') + std::string(784, '\xff'));
}
std::string two_labels() { return idx({2}, "\x07\x02"); }

void write_gz(const std::string& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

void expect_two_images(const Mnist& set) {
  ASSERT_EQ(set.size(), 2);
  EXPECT_EQ(set.image_shape(), Shape({1, 28, 28}));
  EXPECT_EQ(set.classes().size(), 10U);
  std::vector<float> image(784);
  EXPECT_EQ(set.get(0, image.data()), 7);
  EXPECT_EQ(image, std::vector<float>(784, 0.2F));
  EXPECT_EQ(set.get(1, image.data()), 2);
  EXPECT_EQ(image, std::vector<float>(784, 1.0F));
}

TEST(Mnist, ReadsPlainFiles) {
  const TemporaryFolder folder;
  folder.write(kImages, two_images());
  folder.write(kLabels, two_labels());
  expect_two_images(Mnist(folder.path()));
}

TEST(Mnist, ReadsCompressedFiles) {
  const TemporaryFolder folder;
  write_gz(folder / (kImages + ".gz"), two_images());
  write_gz(folder / (kLabels + ".gz"), two_labels());
  expect_two_images(Mnist(folder.path()));
}

struct BadPair {
  std::string images, labels, reason;
};

TEST(Mnist, BadFilesAreErrors) {
  const std::string images = two_images(), labels = two_labels();
  const BadPair pairs[] = {
      {labels, labels, kImages + ": is no IDX file of bytes in 3 dimensions"},
      {idx({2, 28, 27}, ""), labels, kImages + ": expected images of 28x28 pixels, got 28x27"},
      {images + "x", labels, kImages + ": has more than the 1584 bytes that its header promises"},
      {idx({4294967295, 28, 28}, ""), labels, kImages + ": is truncated"},
      {images, idx({3}, "\1\2\3"), kLabels + ": expected 2 labels, as many as images, got 3"},
      {images, idx({2}, "\x01\x0a"), kLabels + ": expected labels from 0 to 9, got 10"},
      {images, idx({2}, "\x01"), kLabels + ": is truncated"},
      {images, images, kLabels + ": is no IDX file of bytes in 1 dimensions"},
  };
  for (const BadPair& pair : pairs) {
    const TemporaryFolder folder;
    folder.write(kImages, pair.images);
    folder.write(kLabels, pair.labels);
    expect_error(ErrorKind::Format, pair.reason, [&] { Mnist(folder.path()); });
  }
}

TEST(Mnist, TruncatedAnywhere) {
  const TemporaryFolder folder;
  const std::string images = two_images();
  write_gz(folder / "good.gz", images);
  const std::string packed = testing::read_file(folder / "good.gz");
  folder.write(kLabels, two_labels());
  for (size_t size = 0; size < packed.size(); ++size) {
    folder.write(kImages + ".gz", packed.substr(0, size));
    expect_error(ErrorKind::Format, kImages + ".gz: is ", [&] { Mnist(folder.path()); });
  }
  for (size_t size = 0; size < images.size(); size += size < 20 ? 1 : 50) {
    folder.write(kImages, images.substr(0, size));
    expect_error(ErrorKind::Format, kImages + ": is ", [&] { Mnist(folder.path()); });
  }
}

TEST(Mnist, DamagedGzipIsAnError) {
  const TemporaryFolder folder;
  write_gz(folder / (kImages + ".gz"), two_images());
  std::string bytes = testing::read_file(folder / (kImages + ".gz"));
  bytes[bytes.size() - 6] ^= 1;  // the checksum
  folder.write(kImages + ".gz", bytes);
  expect_error(ErrorKind::Format, "cannot be decompressed", [&] { Mnist(folder.path()); });
}

TEST(Mnist, WhatCannotBeRead) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::Io, kImages + ": cannot be read: No such file or directory",
               [&] { Mnist(folder.path()); });
  std::filesystem::create_directory(folder / kImages);
  expect_error(ErrorKind::Io, kImages + ": cannot be read: it is a directory",
               [&] { Mnist(folder.path()); });
}

TEST(Mnist, TheRealOne) {
  const char* shared = std::getenv("REPRISE_SHARED");
  const std::string folder = text(shared == nullptr ? "" : shared, "/data/mnist");
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no data: REPRISE_SHARED is not set";
  const Mnist train(folder), test(folder, false);
  EXPECT_EQ(train.size(), 60000);
  EXPECT_EQ(test.size(), 10000);
  std::vector<float> image(784);
  for (int64_t i = 0; const int64_t label : {5, 0, 4, 1, 9, 2, 1, 3, 1, 4}) {
    EXPECT_EQ(train.get(i++, image.data()), label);
  }
  double sum = 0;
  for (int64_t i = 0; i < train.size(); ++i) {
    train.get(i, image.data());
    sum += std::accumulate(image.begin(), image.end(), 0.0);
  }
  EXPECT_NEAR(sum * 255 / (60000 * 784), 33.3184, 1e-3);
}

}  // namespace
}  // namespace reprise
