#pragma once
// Bytes that programs leave for later ones, in files of a folder. Nothing here throws or complains:
// what cannot be written is not kept, and what is damaged is not there.

#include <optional>
#include <string>

namespace reprise::cuda {

class DiskCache {
 public:
  /// The folder is made when the first file is written; "" keeps nothing.
  explicit DiskCache(std::string folder) : folder_(std::move(folder)) {}

  std::optional<std::string> read(const std::string& name) const;
  /// Other processes see all of it or nothing.
  void write(const std::string& name, const std::string& bytes) const;

 private:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

/// 16 hexadecimal digits that tell texts apart.
std::string digest(std::string_view text);

}  // namespace reprise::cuda
