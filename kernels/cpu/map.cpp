#include "map.h"

#include "block_copy.h"

namespace reprise::cpu {
namespace {

// The buffers of all operands stay in the first-level cache; 16 floats are a cache line.
constexpr BlockSize kBlockSize{.elements = 1024, .transposed_rows = 16};

/// What a range of blocks needs: a dense copy of each operand that is not dense itself.
class Staging {
 public:
  Staging(const Nest& nest, size_t operands, unsigned reads, unsigned writes)
      : nest_(nest), operands_(operands), reads_(reads), writes_(writes) {}

  void run(Loop loop, const void* self, const Block& block) {
    void* dense[kMaxOperands];
    for (size_t k = 0; k < operands_; ++k) {
      dense[k] = is_dense(block, k) ? block.parts[k].data : gather(block, k);
    }
    loop(self, block.rows * block.columns, dense);
    for (size_t k = 0; k < operands_; ++k) {
      if (writes_ >> k & 1 && dense[k] == buffers_[k]) {
        copy_block(block.rows, block.columns, element(k), block.parts[k], buffer_part(block, k));
      }
    }
  }

 private:
  int64_t element(size_t k) const { return nest_.element(static_cast<int>(k)); }
  bool is_dense(const Block& block, size_t k) const {
    const Part& part = block.parts[k];
    return part.column == element(k) &&
           (block.rows == 1 || part.row == block.columns * part.column);
  }
  Part buffer_part(const Block& block, size_t k) {
    return {buffers_[k], block.columns * element(k), element(k)};
  }
  std::byte* gather(const Block& block, size_t k) {
    const std::byte* data = block.parts[k].data;
    Held& held = held_[k];
    const bool again = !(writes_ >> k & 1) && held.data == data && held.columns == block.columns &&
                       held.rows >= block.rows;
    if ((reads_ >> k & 1) && !again) {
      copy_block(block.rows, block.columns, element(k), buffer_part(block, k), block.parts[k]);
      held = {data, block.rows, block.columns};
    }
    return buffers_[k];
  }

  /// A broadcast operand is the same in many blocks: it is gathered once.
  struct Held {
    const std::byte* data = nullptr;
    int64_t rows = 0, columns = 0;
  };

  const Nest& nest_;
  const size_t operands_;
  const unsigned reads_, writes_;
  Held held_[kMaxOperands];
  alignas(64) std::byte buffers_[kMaxOperands][kBlockSize.elements * sizeof(int64_t)];
};

void run_dense(Loop loop, const void* self, int64_t n, std::span<const View> operands) {
  parallel_for(n, kParallelElements, [&](int64_t begin, int64_t end) {
    void* at[kMaxOperands];
    for (size_t k = 0; k < operands.size(); ++k) {
      const auto element = static_cast<int64_t>(size_of(operands[k].meta->dtype));
      at[k] = operands[k].as<std::byte>() + begin * element;
    }
    loop(self, end - begin, at);
  });
}

}  // namespace

bool are_dense(std::span<const View> operands) {
  const Shape& shape = operands[0].meta->shape;
  int64_t step = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) continue;
    for (const View& view : operands) {
      if (view.meta->strides[d] != step) return false;
    }
    step *= shape[d];
  }
  return true;
}

void map(Loop loop, const void* self, std::span<const View> operands, unsigned reads,
         unsigned writes) {
  if (are_dense(operands)) return run_dense(loop, self, operands[0].meta->numel(), operands);
  const Nest nest(operands, kBlockSize);
  if (nest.dense()) return run_dense(loop, self, nest.numel(), operands);
  nest.for_each_range([&](int64_t begin, int64_t end) {
    Staging staging(nest, operands.size(), reads, writes);
    for (int64_t i = begin; i < end; ++i) staging.run(loop, self, nest.block(i));
  });
}

}  // namespace reprise::cpu
