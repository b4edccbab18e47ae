#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "../core/error.h"

namespace reprise {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_errno(const std::string& path, std::string_view what) {
  const std::string reason = std::generic_category().message(errno);
  fail(ErrorKind::Io, path, ": cannot be ", what, ": ", reason);
}

int open_regular(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) fail_errno(path, "read");
  check(!S_ISDIR(info.st_mode), ErrorKind::Io, path, ": cannot be read: it is a directory");
  check(S_ISREG(info.st_mode), ErrorKind::Io, path, ": cannot be read: it is no regular file");
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail_errno(path, "read");
  return file;
}

uint64_t size_of_file(const std::string& path, int file) {
  struct stat info;
  if (::fstat(file, &info) != 0) fail_errno(path, "read");
  return static_cast<uint64_t>(info.st_size);
}

/// Where `path` leads: the file behind a link is replaced, not the link.
std::string writable_target(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check(!fs::is_directory(status), ErrorKind::Io, path, ": cannot be written: it is a directory");
  if (!fs::exists(status)) return path;
  check(fs::is_regular_file(status), ErrorKind::Io, path,
        ": cannot be written: it is no regular file");
  const fs::path target = fs::canonical(path, error);
  return error ? path : target.string();
}

/// A name beside `path` that no other thread or process takes.
std::string temporary_name(const std::string& path) {
  static std::atomic<int64_t> count = 0;
  return text(path, ".tmp-", ::getpid(), "-", count++);
}

int create(const std::string& path, const std::string& temporary) {
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) fail_errno(path, "written");
  return file;
}

/// The new name outlives a power cut only when its folder is on the disk too; where folders cannot
/// be synchronized, nothing is lost but that.
void synchronize_folder(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  const FileDescriptor file(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.number() >= 0) static_cast<void>(::fsync(file.number()));
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) ::close(number_);
}

int FileDescriptor::release() { return std::exchange(number_, -1); }

InputFile::InputFile(const std::string& path)
    : path_(path), file_(open_regular(path)), size_(size_of_file(path, file_.number())) {}

void InputFile::read(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(file_.number(), out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path_, "read");
    check(n > 0, ErrorKind::Io, path_, ": ends before its size of ", size_, " bytes");
    offset += static_cast<uint64_t>(n);
    out = out.subspan(static_cast<size_t>(n));
  }
}

AtomicFile::AtomicFile(const std::string& path)
    : path_(writable_target(path)),
      temporary_(temporary_name(path_)),
      file_(create(path_, temporary_)) {}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_.number(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path_, "written");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::commit() {
  if (::fsync(file_.number()) != 0) fail_errno(path_, "written");
  if (::close(file_.release()) != 0) fail_errno(path_, "written");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_errno(path_, "written");
  committed_ = true;
  synchronize_folder(path_);
}

}  // namespace reprise
