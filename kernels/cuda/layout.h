#pragma once
// How a kernel walks over the elements of operands of one shape and any strides, found on the host.
// Dimensions of size 1 are dropped, neighbours that every operand passes through at one step become
// one, and the dimension of the first operand's smallest step comes first.

#include "../../core/op.h"

namespace reprise::cuda {

inline constexpr int kMostOperands = 24;
inline constexpr int kMostLayoutDims = kMaxDims + 2;

struct Layout {
  explicit Layout(std::span<const View> views);

  int64_t numel() const;
  /// Every operand is dense, in the order that is walked.
  bool is_dense() const;
  /// The outermost dimension of more than one element cut in two; `numel` is at least 2.
  std::array<Layout, 2> halves() const;
  /// Elements may be taken `width` at a time: each operand has them side by side and aligned, or
  /// has but one for a whole row. What is left in the end lies in the only dimension.
  bool takes_packs(std::span<const View> views, int width) const;
  /// The dimension in which an operand is dense that jumps in the innermost; 0 when there is none.
  int transposed_dim() const;
  /// The dimensions besides two.
  Layout without(int one, int other) const;
  /// Cuts squares out of the innermost and the transposed dimension, where there is one that sizes
  /// allow, and walks them one after the other: both sides then use whole sectors of memory.
  Layout in_squares() const;

  int operands, dims = 0;                         // innermost first, at least 1
  int64_t sizes[kMostLayoutDims];                 // in elements
  int64_t steps[kMostLayoutDims][kMostOperands];  // in elements
  int64_t first[kMostOperands] = {};              // where the walk begins, in elements

 private:
  void add_dim(int64_t size, const int64_t* of, int64_t times);
  void add_dims(std::span<const View> views);
  void order();
  void merge();
};

/// Calls f(part) for parts of the layout of at most `most` elements; none when it is empty.
template <class F>
void for_each_part(const Layout& layout, int64_t most, const F& f) {
  const int64_t n = layout.numel();
  if (n == 0) return;
  if (n <= most) return f(layout);
  for (const Layout& half : layout.halves()) for_each_part(half, most, f);
}

}  // namespace reprise::cuda
