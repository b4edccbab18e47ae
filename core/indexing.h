#pragma once
// What may stand between the brackets of a tensor, as in Python, and the walk over its rows:
//
//   x[2]   x[{Slice(0, 3), 1, Ellipsis, None}]   x[indices]   for (Tensor row : x)

#include <algorithm>
#include <iterator>
#include <variant>

#include "tensor.h"

namespace reprise {

struct EllipsisType {};
/// As many whole dimensions as the other indices leave.
inline constexpr EllipsisType Ellipsis{};
/// A new dimension of size 1; as a bound of a Slice: no bound.
inline constexpr std::nullopt_t None = std::nullopt;

/// start:stop:step of Python; bounds are clamped, negative ones count from the back, step > 0.
struct Slice {
  std::optional<int64_t> start, stop;
  int64_t step;

  constexpr Slice(std::optional<int64_t> first = {}, std::optional<int64_t> last = {},
                  int64_t every = 1)
      : start(first), stop(last), step(every) {}
};

/// One index: a position, a Slice, Ellipsis, None, or a tensor of int64 positions.
class Index {
 public:
  using Value = std::variant<int64_t, Slice, EllipsisType, std::nullopt_t, Tensor>;

  template <std::integral T>
  requires(!std::same_as<T, bool>) Index(T position) : value_(static_cast<int64_t>(position)) {}
  Index(const Slice& slice) : value_(slice) {}
  Index(EllipsisType ellipsis) : value_(ellipsis) {}
  Index(std::nullopt_t none) : value_(none) {}
  Index(const Tensor& positions) : value_(positions) {}

  const Value& value() const { return value_; }

 private:
  Value value_;
};

/// As Python writes it: "2", "0:3", "1::2", "...", "None"; a tensor is "int64[4]".
REPRISE_API std::string to_string(const Index& index);

/// Stands at one row of a tensor, x[i].
class REPRISE_API TensorIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Tensor;
  using difference_type = std::ptrdiff_t;
  using pointer = const Tensor*;
  using reference = Tensor;

  TensorIterator() = default;
  TensorIterator(Tensor x, int64_t at) : x_(std::move(x)), at_(at) {}

  Tensor operator*() const { return x_[at_]; }
  TensorIterator& operator++() {
    ++at_;
    return *this;
  }
  TensorIterator operator++(int) { return {x_, at_++}; }
  friend bool operator==(const TensorIterator& a, const TensorIterator& b) {
    return a.at_ == b.at_;
  }

 private:
  Tensor x_;
  int64_t at_ = 0;
};

namespace detail {
[[noreturn]] REPRISE_API void fail_unpack(size_t expected, size_t got);
}

/// A list of known length, for structured bindings: `auto [a, b] = unpack<2>(model.outputs(x))`.
/// Value error for a list of another length.
template <size_t N>
std::array<Tensor, N> unpack(const Tensors& list) {
  if (list.size() != N) detail::fail_unpack(N, list.size());
  std::array<Tensor, N> out;
  std::copy(list.begin(), list.end(), out.begin());
  return out;
}
/// The N slices of a tensor along one dimension: `auto [mean, spread] = unpack<2>(x, 1)`.
template <size_t N>
std::array<Tensor, N> unpack(const Tensor& x, int64_t dim = 0) {
  return unpack<N>(x.unbind(dim));
}

}  // namespace reprise
