// Every elementwise op: pick its loop for the instruction set and the dtype, and map it. The loops
// are in simd/elementwise.simd.cpp, the strides in map.cpp.

#include "../../core/ops/elementwise.h"

#include "map.h"
#include "simd/elementwise.h"

namespace reprise {
template <class Self, int Arity>
void Elementwise<Self, Arity>::cpu(const Launch& l) const {
  const DType dtype = l.in.back().meta->dtype;
  const cpu::Loop loop = cpu::elementwise_table().at(kElementwiseIndex<Self>, dtype);
  ensure(loop != nullptr, Self::name, ": no kernel for ", dtype);
  std::array<View, Arity + 1> operands{l.out[0]};
  std::copy_n(l.in.begin(), Arity, operands.begin() + 1);
  cpu::map(loop, static_cast<const Self*>(this), operands, (2U << Arity) - 2, 1);
}

#define REPRISE_INSTANTIATE(Op) template void Elementwise<Op, Op::arity>::cpu(const Launch&) const;
REPRISE_ELEMENTWISE_OPS(REPRISE_INSTANTIATE)
#undef REPRISE_INSTANTIATE

}  // namespace reprise
