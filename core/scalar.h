#pragma once
// Scalar: one number of any kind, as users write it next to a tensor.

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
  friend bool operator==(const Scalar&, const Scalar&) = default;

 private:
  DType dtype_;
  int64_t integer_ = 0;
  double real_ = 0;
};

inline std::string to_string(const Scalar& s) {
  return s.dtype() == float64 ? text(s.to<double>()) : text(s.to<int64_t>());
}

}  // namespace reprise
