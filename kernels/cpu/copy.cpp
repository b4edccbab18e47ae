// Copies between any dtypes and strides. Of one dtype, blocks are moved as bytes; of two, a loop
// converts and `map` does the strides.

#include <cstring>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/memory_format.h"
#include "assign.h"
#include "block_copy.h"
#include "convert.h"
#include "map.h"

namespace reprise {
namespace cpu {
namespace {

// Source and target of a block stay in the cache; 64 rows make use of each page that is touched.
constexpr BlockSize kBlockSize{.elements = 4096, .transposed_rows = 64};

template <class To, class From>
void convert_loop(const void*, int64_t n, void* const* operands) {
  To* to = static_cast<To*>(operands[0]);
  const From* from = static_cast<const From*>(operands[1]);
  for (int64_t i = 0; i < n; ++i) to[i] = convert_value<To>(from[i]);
}

void convert(const View& to, const View& from) {
  const View operands[] = {to, from};
  map(conversion_loop(to.meta->dtype, from.meta->dtype), nullptr, operands, 0b10, 0b01);
}

void move_dense(const View& to, const View& from) {
  const auto bytes = to.meta->numel() * static_cast<int64_t>(size_of(to.meta->dtype));
  parallel_for(bytes, kParallelElements * 8, [&](int64_t begin, int64_t end) {
    std::memcpy(to.as<std::byte>() + begin, from.as<std::byte>() + begin,
                static_cast<size_t>(end - begin));
  });
}

void move_bytes(const View& to, const View& from) {
  const View operands[] = {to, from};
  if (are_dense(operands)) return move_dense(to, from);
  const Nest nest(operands, kBlockSize);
  if (nest.dense()) return move_dense(to, from);
  nest.for_each_block([element = nest.element(0)](const Block& block) {
    copy_block(block.rows, block.columns, element, block.parts[0], block.parts[1]);
  });
}

}  // namespace

Loop conversion_loop(DType to, DType from) {
  return visit_any_dtype(to, [&]<class To>() {
    return visit_any_dtype(from, []<class From>() -> Loop { return convert_loop<To, From>; });
  });
}

void assign(const View& to, const View& from) {
  if (to.meta->dtype == from.meta->dtype) return move_bytes(to, from);
  convert(to, from);
}

void assign_value(const View& to, const void* value) {
  Meta same = *to.meta;
  same.strides = Strides::filled(same.dim(), 0);
  assign(to, {const_cast<void*>(value), &same});
}

}  // namespace cpu

void Copy::cpu(const Launch& l) const { cpu::assign(l.out[0], l.in[0]); }
void ToMemoryFormat::cpu(const Launch& l) const { cpu::assign(l.out[0], l.in[0]); }

}  // namespace reprise
