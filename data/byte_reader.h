#pragma once
// Reads a file from front to back, plain or compressed by gzip.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace reprise {

/// Io error when the file cannot be read, Format error when its bytes are not what was expected;
/// both name path and reason.
class ByteReader {
 public:
  explicit ByteReader(const std::string& path);

  /// The next `count` bytes; Format error when the file ends before.
  std::vector<uint8_t> read(uint64_t count);
  /// The bytes up to the end.
  std::vector<uint8_t> read_rest();
  /// Format error when there are more bytes.
  void expect_end();
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(void* file) const;
  };

  std::vector<uint8_t> read_at_most(uint64_t count);

  std::string path_;
  std::unique_ptr<void, Close> file_;
  uint64_t done_ = 0;
};

}  // namespace reprise
