#include "nest.h"

#include <utility>

namespace reprise::cpu {
Nest::Nest(std::span<const View> operands, BlockSize size)
    : operands_(static_cast<int>(operands.size())) {
  for (int k = 0; k < operands_; ++k) {
    const View& view = operands[static_cast<size_t>(k)];
    data_[k] = view.as<std::byte>();
    elements_[k] = static_cast<int64_t>(size_of(view.meta->dtype));
  }
  add_dims(operands);
  order();
  merge();
  const int transposed = transposed_dim();
  if (transposed > 1) move_next_to_innermost(transposed);
  choose_blocks(size, transposed > 0);
}

void Nest::add_dims(std::span<const View> operands) {
  const Shape& shape = operands[0].meta->shape;
  for (size_t d = shape.size(); d-- > 0;) {
    numel_ *= shape[d];
    if (shape[d] == 1) continue;
    for (int k = 0; k < operands_; ++k) {
      step(k, dims_) = operands[static_cast<size_t>(k)].meta->strides[d] * elements_[k];
    }
    sizes_[dims_++] = shape[d];
  }
}

/// Smallest steps of the first operand innermost.
void Nest::order() {
  for (int i = 1; i < dims_; ++i) {
    for (int d = i; d > 0 && steps_[d][0] < steps_[d - 1][0]; --d) {
      std::swap(sizes_[d], sizes_[d - 1]);
      std::swap(steps_[d], steps_[d - 1]);
    }
  }
}

void Nest::merge() {
  int last = 0;
  for (int d = 1; d < dims_; ++d) {
    bool one = true;
    for (int k = 0; k < operands_; ++k) one &= step(k, d) == step(k, last) * sizes_[last];
    if (one) {
      sizes_[last] *= sizes_[d];
      continue;
    }
    ++last;
    sizes_[last] = sizes_[d];
    std::swap(steps_[last], steps_[d]);
  }
  dims_ = dims_ == 0 ? 0 : last + 1;
  dense_ = dims_ <= 1;
  for (int k = 0; k < operands_; ++k) dense_ &= dims_ == 0 || step(k, 0) == elements_[k];
  for (; dims_ < 2; ++dims_) {
    sizes_[dims_] = 1;
    for (int k = 0; k < operands_; ++k) step(k, dims_) = 0;
  }
}

/// The dimension in which an operand is dense that jumps in the innermost; 0 when there is none.
int Nest::transposed_dim() const {
  for (int k = 0; k < operands_; ++k) {
    if (steps_[0][k] == 0 || steps_[0][k] == elements_[k]) continue;
    for (int d = 1; d < dims_; ++d) {
      if (sizes_[d] > 1 && steps_[d][k] == elements_[k]) return d;
    }
  }
  return 0;
}

void Nest::move_next_to_innermost(int dim) {
  for (; dim > 1; --dim) {
    std::swap(sizes_[dim], sizes_[dim - 1]);
    std::swap(steps_[dim], steps_[dim - 1]);
  }
}

void Nest::choose_blocks(BlockSize size, bool transposed) {
  if (numel_ == 0) return;
  first_ = transposed ? 1 : 0;
  rows_ = transposed ? std::min(sizes_[1], size.transposed_rows) : 1;
  columns_ = std::min(sizes_[0], size.elements / rows_);
  if (columns_ == sizes_[0]) rows_ = std::min(sizes_[1], size.elements / columns_);
  blocks_ = 1;
  for (int d = 0; d < dims_; ++d) {
    const int64_t cut = d == 0 ? columns_ : d == 1 ? rows_ : 1;
    counts_[d] = (sizes_[d] + cut - 1) / cut;
    blocks_ *= counts_[d];
  }
}

Block Nest::block(int64_t index) const {
  Block block;
  for (int k = 0; k < operands_; ++k) block.parts[k] = {data_[k], steps_[1][k], steps_[0][k]};
  int64_t at[2] = {0, 0};
  for (int i = 0; i < dims_; ++i) {
    const int d = i < 2 ? i ^ first_ : i;
    const int64_t rest = index / counts_[d];
    int64_t position = index - rest * counts_[d];
    index = rest;
    if (d < 2) position = at[d] = position * (d == 0 ? columns_ : rows_);
    for (int k = 0; k < operands_; ++k) block.parts[k].data += position * steps_[d][k];
  }
  block.columns = std::min(columns_, sizes_[0] - at[0]);
  block.rows = std::min(rows_, sizes_[1] - at[1]);
  return block;
}

}  // namespace reprise::cpu
