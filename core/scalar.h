#pragma once
// Scalar: one number of any kind, as users write it next to a tensor.

#include <bit>
#include <concepts>
#include <cstdint>
#include <string>

#include "dtype.h"

namespace reprise {

class Scalar {
 public:
  Scalar(bool v) : dtype_(bool_), integer_(v), real_(v) {}
  template <std::integral T>
  Scalar(T v) : dtype_(int64), integer_(static_cast<int64_t>(v)), real_(static_cast<double>(v)) {}
  template <std::floating_point T>
  Scalar(T v) : dtype_(float64), real_(static_cast<double>(v)) {}

  /// bool, int64 or float64.
  DType dtype() const { return dtype_; }
  template <class T>
  T to() const {
    return dtype_ == float64 ? static_cast<T>(real_) : static_cast<T>(integer_);
  }
  /// The same number of the same kind, bit for bit: -0.0 is not 0.0, and NaN equals itself.
  friend bool operator==(const Scalar& a, const Scalar& b) {
    return a.dtype_ == b.dtype_ && a.integer_ == b.integer_ &&
           std::bit_cast<uint64_t>(a.real_) == std::bit_cast<uint64_t>(b.real_);
  }

 private:
  DType dtype_;
  int64_t integer_ = 0;
  double real_ = 0;
};

/// "true", "3" or "3.0": the kind can be read off.
inline std::string to_string(const Scalar& s) {
  if (s.dtype() == bool_) return s.to<bool>() ? "true" : "false";
  if (s.dtype() == int64) return text(s.to<int64_t>());
  std::string out = text(s.to<double>());
  if (out.find_first_not_of("-0123456789") == out.npos) out += ".0";
  return out;
}

}  // namespace reprise
