// Elementwise ops on 16-bit elements: the loops for float32, a chunk of the first-level cache at a
// time.

#include "elementwise_loop.h"

#include <algorithm>

#include "assign.h"

namespace reprise::cpu {
namespace {

constexpr int64_t kChunk = 512;
constexpr int kMostOperands = 4;  // with the result

/// Runs the float32 loop of `op`; its bool operands are read and written where they are.
void run_wide(ElementwiseIndex op, DType dtype, const void* self, int64_t n,
              void* const* operands) {
  const Loop loop = elementwise_table().at(op, float32);
  const Loop widen = conversion_loop(float32, dtype), narrow = conversion_loop(dtype, float32);
  const int count = elementwise_arity(op) + 1;
  const auto is_bool = [op](int k) {
    return k == 0 ? is_predicate(op) : k == 1 && op == ElementwiseIndex::Where;
  };
  float wide[kMostOperands][kChunk];
  for (int64_t at = 0; at < n; at += kChunk) {
    const int64_t size = std::min(kChunk, n - at);
    void* part[kMostOperands];
    for (int k = 0; k < count; ++k) {
      void* const here = static_cast<std::byte*>(operands[k]) + at * (is_bool(k) ? 1 : 2);
      part[k] = is_bool(k) ? here : wide[k];
      void* const both[] = {wide[k], here};
      if (k > 0 && !is_bool(k)) widen(nullptr, size, both);
    }
    loop(self, size, part);
    void* const result[] = {static_cast<std::byte*>(operands[0]) + at * 2, wide[0]};
    if (!is_bool(0)) narrow(nullptr, size, result);
  }
}

template <ElementwiseIndex Op, DType T>
void half_loop(const void* self, int64_t n, void* const* operands) {
  run_wide(Op, T, self, n, operands);
}

}  // namespace

Loop elementwise_loop(ElementwiseIndex op, DType dtype) {
#define REPRISE_HALF(Op) \
  {half_loop<ElementwiseIndex::Op, float16>, half_loop<ElementwiseIndex::Op, bfloat16>},
  static constexpr Loop kHalfLoops[kElementwiseCount][2] = {REPRISE_ELEMENTWISE_OPS(REPRISE_HALF)};
#undef REPRISE_HALF
  if (is_half(dtype)) return kHalfLoops[static_cast<size_t>(op)][dtype == bfloat16];
  return elementwise_table().at(op, dtype);
}

}  // namespace reprise::cpu
