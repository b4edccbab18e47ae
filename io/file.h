#pragma once
// Files in whole steps: reading at an offset, and writing that is seen by others all or not at all.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "../core/export.h"

namespace reprise {

/// Owns the number of an open file.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor();

  int number() const { return number_; }
  int release();

 private:
  int number_;
};

/// A regular file, open for reading. Errors are of kind Io and give path and reason.
class REPRISE_API InputFile {
 public:
  explicit InputFile(const std::string& path);

  uint64_t size() const { return size_; }
  /// Fills `out` with the bytes from `offset` on.
  void read(uint64_t offset, std::span<std::byte> out) const;

 private:
  std::string path_;
  FileDescriptor file_;
  uint64_t size_;
};

/// A file that gets its name when it is complete. Until `commit`, and after any failure, what stood
/// under that name is untouched; the temporary file beside it goes away with this object.
class REPRISE_API AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// The bytes are on the disk when this returns.
  void commit();

 private:
  std::string path_, temporary_;
  FileDescriptor file_;
  bool committed_ = false;
};

}  // namespace reprise
