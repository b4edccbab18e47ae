#pragma once
// Parts of a kernel's workspace. The same code measures it (from null) and hands it out.

#include <cstddef>
#include <cstdint>

namespace reprise::cpu {

class Workspace {
 public:
  explicit Workspace(void* begin) : begin_(static_cast<std::byte*>(begin)) {}

  /// The next `count` elements, 64-byte aligned.
  template <class T>
  T* take(int64_t count) {
    const size_t at = bytes_;
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return begin_ ? reinterpret_cast<T*>(begin_ + at) : nullptr;
  }
  size_t bytes() const { return bytes_; }

 private:
  std::byte* begin_;
  size_t bytes_ = 0;
};

}  // namespace reprise::cpu
