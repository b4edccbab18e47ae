#include "mnist.h"

#include <filesystem>

#include "byte_reader.h"

namespace reprise {
namespace {

std::vector<std::string> digits() { return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; }

/// `name` in `folder`, with the ending .gz when only that is there.
std::string find_file(const std::string& folder, const std::string& name) {
  const std::string plain = (std::filesystem::path(folder) / name).string(), packed = plain + ".gz";
  std::error_code error;
  const bool only_packed =
      !std::filesystem::exists(plain, error) && std::filesystem::exists(packed, error);
  return only_packed ? packed : plain;
}

/// Checks the magic number of an IDX file of bytes and returns its `dims` sizes.
std::vector<uint64_t> read_sizes(ByteReader& file, size_t dims) {
  const std::vector<uint8_t> magic = file.read(4);
  const bool good = magic[0] == 0 && magic[1] == 0 && magic[2] == 8 && magic[3] == dims;
  check(good, ErrorKind::Format, file.path(), ": is no IDX file of bytes in ", dims, " dimensions");
  const std::vector<uint8_t> bytes = file.read(4 * dims);
  std::vector<uint64_t> sizes(dims);
  for (size_t i = 0; i < bytes.size(); ++i) sizes[i / 4] = sizes[i / 4] << 8 | bytes[i];
  return sizes;
}

}  // namespace

Mnist::Mnist(const std::string& folder, bool train) : ByteImages({1, 28, 28}, digits()) {
  const std::string set = train ? "train" : "t10k";
  ByteReader images(find_file(folder, set + "-images-idx3-ubyte"));
  const auto sizes = read_sizes(images, 3);
  check(sizes[1] == 28 && sizes[2] == 28, ErrorKind::Format, images.path(),
        ": expected images of 28x28 pixels, got ", sizes[1], "x", sizes[2]);
  pixels_ = images.read(sizes[0] * 28 * 28);
  images.expect_end();

  ByteReader labels(find_file(folder, set + "-labels-idx1-ubyte"));
  const uint64_t count = read_sizes(labels, 1)[0];
  check(count == sizes[0], ErrorKind::Format, labels.path(), ": expected ", sizes[0],
        " labels, as many as images, got ", count);
  labels_ = labels.read(count);
  labels.expect_end();
  for (const uint8_t label : labels_) {
    check(label < 10, ErrorKind::Format, labels.path(), ": expected labels from 0 to 9, got ",
          label);
  }
}

}  // namespace reprise
