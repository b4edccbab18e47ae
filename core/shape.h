#pragma once
// Shape: up to eight sizes, held in place. Strides are counted in elements.

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "error.h"
#include "export.h"

namespace reprise {

inline constexpr int kMaxDims = 8;
/// Size of a dimension that is not known before replay; printed as None.
inline constexpr int64_t kUnknown = -1;

class REPRISE_API Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);
  /// `dims` sizes of `value`.
  static Shape filled(int dims, int64_t value);

  int dim() const { return dim_; }
  size_t size() const { return static_cast<size_t>(dim_); }
  bool empty() const { return dim_ == 0; }
  int64_t operator[](size_t i) const { return sizes_[i]; }
  int64_t& operator[](size_t i) { return sizes_[i]; }
  int64_t back() const { return sizes_[size() - 1]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + dim_; }
  int64_t* begin() { return sizes_.data(); }
  int64_t* end() { return sizes_.data() + dim_; }
  const int64_t* data() const { return sizes_.data(); }

  void push_back(int64_t size);
  void insert(int at, int64_t size);
  void erase(int at);

  /// Product of the sizes; 1 for no dims. Shape error when it does not fit 63 bits.
  int64_t numel() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.dim_ == b.dim_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  std::array<int64_t, kMaxDims> sizes_{};
  int dim_ = 0;
};

using Strides = Shape;

/// "[2, 3]"; an unknown size reads None.
REPRISE_API std::string to_string(const Shape& shape);

/// Row-major strides of a dense tensor.
REPRISE_API Strides contiguous_strides(const Shape& shape);

/// The shape to which both broadcast (trailing sizes equal, 1 or missing). Shape error naming `op`.
REPRISE_API Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b);

/// `dim` in [-dims, dims) as an index from the front. Index error naming `op`.
REPRISE_API int wrap_dim(std::string_view op, int64_t dim, int dims);

/// Shape error naming `op` unless all sizes are at least 0.
REPRISE_API void check_sizes(std::string_view op, const Shape& shape);

/// Height and width of a window, a stride or a padding; one number stands for both.
struct Pair {
  int64_t h = 0, w = 0;
  constexpr Pair(int64_t both) : h(both), w(both) {}
  constexpr Pair(int64_t height, int64_t width) : h(height), w(width) {}
  friend constexpr bool operator==(const Pair&, const Pair&) = default;
};

REPRISE_API std::string to_string(const Pair& pair);

}  // namespace reprise
