// Every elementwise op: pick its loop for the instruction set and the dtype, and map it. The loops
// are in simd/elementwise.simd.cpp, the strides in map.cpp.

#include "../../core/ops/elementwise.h"

#include "../../core/tensor.h"
#include "cursor.h"
#include "elementwise_loop.h"
#include "map.h"

namespace reprise {
template <class Self, int Arity>
void Elementwise<Self, Arity>::cpu(const Launch& l) const {
  const DType dtype = l.in.back().meta->dtype;
  const cpu::Loop loop = cpu::elementwise_loop(kElementwiseIndex<Self>, dtype);
  ensure(loop != nullptr, Self::name, ": no kernel for ", dtype);
  std::array<View, Arity + 1> operands{l.out[0]};
  std::copy_n(l.in.begin(), Arity, operands.begin() + 1);
  cpu::map(loop, static_cast<const Self*>(this), operands, (2U << Arity) - 2, 1);
}

#define REPRISE_INSTANTIATE(Op) template void Elementwise<Op, Op::arity>::cpu(const Launch&) const;
REPRISE_ELEMENTWISE_OPS(REPRISE_INSTANTIATE)
#undef REPRISE_INSTANTIATE

namespace {

/// Whether an element is 0; what is broadcast is looked at once.
bool has_zero(const View& view) {
  cpu::Walk<1> walk{view.meta->shape, {view.meta->strides}};
  for (size_t d = 0; d < walk.sizes.size(); ++d) {
    if (walk.strides[0][d] == 0) walk.sizes[d] = std::min<int64_t>(walk.sizes[d], 1);
  }
  const int64_t n = walk.sizes.numel();
  if (n == 0) return false;
  return visit_dtype(view.meta->dtype, [&]<class T>() {
    cpu::Cursor<1> at(walk);
    for (int64_t i = 0; i < n; ++i, at.next()) {
      if (view.as<T>()[at[0]] == T(0)) return true;
    }
    return false;
  });
}

}  // namespace

void Remainder::cpu(const Launch& l) const {
  const View& divisor = l.in[1];
  check(is_floating_point(divisor.meta->dtype) || !has_zero(divisor), ErrorKind::Value, by_zero);
  Elementwise::cpu(l);
}

}  // namespace reprise
