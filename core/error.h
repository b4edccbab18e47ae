#pragma once
// Every failure a user can cause is a reprise::Error, thrown on the caller's thread before anything
// is changed. `check` states what a caller must hold; `ensure` states what we must hold.

#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "export.h"

namespace reprise {

enum class ErrorKind : uint8_t {
  Shape,
  DType,
  Device,
  Index,
  Value,
  Autograd,
  Graph,
  Format,
  Io,
  OutOfMemory,
  Internal,
};

/// "Shape", "DType", ...
REPRISE_API std::string_view to_string(ErrorKind kind);

/// The one exception type of the library. The text names op, argument, what was expected and what
/// came.
class REPRISE_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string message);

  ErrorKind kind() const noexcept { return kind_; }
  const char* what() const noexcept override { return message_.c_str(); }
  /// Puts `where` and ": " in front of the text; layers and models use it to name the path to a
  /// fault. Further calls extend the path to the left: "features.0: conv2d: ...".
  void prepend(std::string_view where);
  bool has_path() const noexcept { return has_path_; }
  /// Puts `note` behind the text.
  void append(std::string_view note);

  /// Whether it is of something queued earlier on a GPU, and thrown by a call that met it there.
  /// That call is not to blame: nothing is added to such a text, which names what is.
  bool is_late() const noexcept { return is_late_; }
  void set_late() noexcept { is_late_ = true; }

 private:
  ErrorKind kind_;
  std::string message_;
  bool has_path_ = false, is_late_ = false;
};

/// Text pieces of an error message: numbers, strings and everything with a `to_string` found by
/// ADL.
REPRISE_API void append_text(std::string& out, double value);
REPRISE_API void append_text(std::string& out, int64_t value);
REPRISE_API void append_text(std::string& out, uint64_t value);
inline void append_text(std::string& out, std::string_view value) { out += value; }

template <class T>
void append_part(std::string& out, const T& part) {
  if constexpr (std::convertible_to<const T&, std::string_view>) {
    append_text(out, std::string_view(part));
  } else if constexpr (std::is_same_v<T, char>) {
    out += part;
  } else if constexpr (std::is_same_v<T, bool>) {
    out += part ? "true" : "false";
  } else if constexpr (std::is_unsigned_v<T>) {
    append_text(out, static_cast<uint64_t>(part));
  } else if constexpr (std::is_integral_v<T>) {
    append_text(out, static_cast<int64_t>(part));
  } else if constexpr (std::is_floating_point_v<T>) {
    append_text(out, static_cast<double>(part));
  } else {
    out += to_string(part);
  }
}

/// The parts written one after another.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::string out;
  (append_part(out, parts), ...);
  return out;
}

template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, text(parts...));
}

/// Throws Error(kind, parts...) unless `ok`. Nothing is formatted when all is well.
template <class... Parts>
inline void check(bool ok, ErrorKind kind, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(kind, parts...);
}

/// Guards what Reprise itself must keep: a failure is our bug and says so.
template <class... Parts>
inline void ensure(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(ErrorKind::Internal, "internal error in Reprise, please report: ", parts...);
}

}  // namespace reprise
