#include "disk_cache.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "../../core/error.h"

namespace reprise::cuda {
namespace {

namespace fs = std::filesystem;

}  // namespace

/// FNV-1a.
std::string digest(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[hash >> shift & 15];
  return digits;
}

/// A file is the digest of its bytes, then the bytes.
std::optional<std::string> DiskCache::read(const std::string& name) const {
  if (folder_.empty()) return {};
  std::ifstream file(path(name), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  const size_t digits = digest({}).size();
  if (bytes.size() < digits) return {};
  const std::string expected = bytes.substr(0, digits);
  bytes.erase(0, digits);
  if (digest(bytes) != expected) return {};
  return bytes;
}

void DiskCache::write(const std::string& name, const std::string& bytes) const {
  if (folder_.empty()) return;
  static std::atomic<int64_t> count = 0;
  const std::string temporary = text(path(name), ".tmp-", ::getpid(), "-", count++);
  std::error_code error;
  fs::create_directories(folder_, error);
  std::ofstream file(temporary, std::ios::binary);
  file << digest(bytes) << bytes;
  file.close();
  if (file) fs::rename(temporary, path(name), error);
  fs::remove(temporary, error);  // of a failure
}

}  // namespace reprise::cuda
