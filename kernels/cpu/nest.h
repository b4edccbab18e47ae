#pragma once
// The loops over the elements of several operands of one shape and any strides, for kernels that
// treat elements alike. Dimensions of size 1 are dropped, neighbours that every operand passes
// through at one step become one, and the first operand's order is walked. The innermost two
// dimensions are cut into blocks of rows and columns; where an operand lies transposed, the second
// is the one in which it is dense, so that whole cache lines are used.

#include <algorithm>

#include "../../core/op.h"
#include "../../core/parallel.h"

namespace reprise::cpu {

inline constexpr int kMaxOperands = 5;
/// How large blocks may be, and how many rows they have at least where an operand lies transposed.
struct BlockSize {
  int64_t elements, transposed_rows;
};
/// Elements below which work stays on one thread.
inline constexpr int64_t kParallelElements = 32768;

/// One operand's part of a block; steps are in bytes.
struct Part {
  std::byte* data;
  int64_t row, column;
};
struct Block {
  int64_t rows, columns;
  Part parts[kMaxOperands];
};

class Nest {
 public:
  Nest(std::span<const View> operands, BlockSize size);

  /// All operands are dense, in the same order: one loop will do.
  bool dense() const { return dense_; }
  int64_t numel() const { return numel_; }
  /// Elements of one operand, in bytes.
  int64_t element(int operand) const { return elements_[operand]; }

  /// Calls f(block) for every block, on several threads where that pays.
  template <class F>
  void for_each_block(F f) const {
    for_each_range([&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) f(block(i));
    });
  }
  /// Calls f(begin, end) for ranges of blocks.
  template <class F>
  void for_each_range(F f) const {
    const int64_t grain = std::max<int64_t>(1, kParallelElements / (rows_ * columns_));
    parallel_for(blocks_, grain, f);
  }
  Block block(int64_t index) const;

 private:
  int64_t& step(int operand, int dim) { return steps_[dim][operand]; }
  void add_dims(std::span<const View> operands);
  void order();
  void merge();
  int transposed_dim() const;
  void move_next_to_innermost(int dim);
  void choose_blocks(BlockSize size, bool transposed);

  int operands_, dims_ = 0;  // dims: innermost first, at least 2
  int64_t numel_ = 1, rows_ = 1, columns_ = 1, blocks_ = 0;
  bool dense_ = false;
  int first_ = 0;  // dimension in which blocks follow each other
  int64_t sizes_[kMaxDims + 2], counts_[kMaxDims + 2];  // of elements, of blocks
  int64_t steps_[kMaxDims + 2][kMaxOperands];           // bytes
  int64_t elements_[kMaxOperands];
  std::byte* data_[kMaxOperands];
};

}  // namespace reprise::cpu
