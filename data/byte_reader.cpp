#include "byte_reader.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "../core/error.h"

namespace reprise {
namespace {

namespace fs = std::filesystem;

void* open(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check(!fs::is_directory(status), ErrorKind::Io, path, ": cannot be read: it is a directory");
  check(!fs::exists(status) || fs::is_regular_file(status), ErrorKind::Io, path,
        ": cannot be read: it is no regular file");
  errno = 0;
  void* file = gzopen(path.c_str(), "rbe");
  const int reason = errno == 0 ? ENOMEM : errno;
  check(file != nullptr, ErrorKind::Io, path,
        ": cannot be read: ", std::generic_category().message(reason));
  return file;
}

}  // namespace

void ByteReader::Close::operator()(void* file) const { gzclose(static_cast<gzFile>(file)); }

ByteReader::ByteReader(const std::string& path) : path_(path), file_(open(path)) {}

std::vector<uint8_t> ByteReader::read_at_most(uint64_t count) {
  const auto file = static_cast<gzFile>(file_.get());
  constexpr uint64_t kStep =
      1 << 20;  // memory grows with what is there, not with what was promised
  std::vector<uint8_t> bytes;
  while (bytes.size() < count) {
    const size_t have = bytes.size(), step = std::min(kStep, count - have);
    bytes.resize(have + step);
    const int n = gzread(file, bytes.data() + have, static_cast<unsigned>(step));
    check(n >= 0, ErrorKind::Format, path_, ": cannot be decompressed: the file is damaged");
    bytes.resize(have + static_cast<size_t>(n));
    if (n == 0) break;
  }
  int state = Z_OK;
  gzerror(file, &state);
  check(state != Z_BUF_ERROR, ErrorKind::Format, path_, ": is truncated: its gzip data ends early");
  check(state == Z_OK || state == Z_STREAM_END, ErrorKind::Format, path_,
        ": cannot be decompressed: the file is damaged");
  done_ += bytes.size();
  return bytes;
}

std::vector<uint8_t> ByteReader::read(uint64_t count) {
  const uint64_t expected = done_ + count;
  std::vector<uint8_t> bytes = read_at_most(count);
  check(bytes.size() == count, ErrorKind::Format, path_, ": is truncated: expected ", expected,
        " bytes or more, got ", done_);
  return bytes;
}

std::vector<uint8_t> ByteReader::read_rest() { return read_at_most(UINT64_MAX - done_); }

void ByteReader::expect_end() {
  const uint64_t promised = done_;
  check(read_at_most(1).empty(), ErrorKind::Format, path_, ": has more than the ", promised,
        " bytes that its header promises");
}

}  // namespace reprise
