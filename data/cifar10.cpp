#include "cifar10.h"

#include <filesystem>

#include "byte_reader.h"

namespace reprise {
namespace {

constexpr size_t kPixels = 3 * 32 * 32, kRecord = 1 + kPixels;

std::vector<std::string> names() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

}  // namespace

Cifar10::Cifar10(const std::string& folder, bool train) : ByteImages({3, 32, 32}, names()) {
  const std::filesystem::path root(folder);
  append((root / (train ? "data_batch_1.bin" : "test_batch.bin")).string());
  for (int i = 2; train && i <= 5; ++i) {
    const std::string path = (root / text("data_batch_", i, ".bin")).string();
    std::error_code error;
    if (std::filesystem::exists(path, error)) append(path);
  }
}

void Cifar10::append(const std::string& path) {
  const std::vector<uint8_t> bytes = ByteReader(path).read_rest();
  check(!bytes.empty() && bytes.size() % kRecord == 0, ErrorKind::Format, path,
        ": is truncated or no CIFAR-10 file: expected records of ", kRecord, " bytes, got ",
        bytes.size(), " bytes");
  for (auto record = bytes.begin(); record != bytes.end(); record += kRecord) {
    check(*record < 10, ErrorKind::Format, path, ": expected labels from 0 to 9, got ", *record);
    labels_.push_back(*record);
    pixels_.insert(pixels_.end(), record + 1, record + kRecord);
  }
}

}  // namespace reprise
