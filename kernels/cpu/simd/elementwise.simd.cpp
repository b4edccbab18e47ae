// One loop per op and dtype: whole vectors through the op's body, the rest through vectors padded
// with zeros, so that an element gets the same bits wherever it stands. bool is a byte of 0 or 1:
// it is computed as uint8, read as a mask by `where`, and written by comparisons. Bodies are
// templates over Packet, whose name carries the instruction set, so nothing that is instantiated
// here can be linked into the baseline.

#include "elementwise.h"

#include "packet.h"
#include "transpose.h"

namespace reprise::cpu::REPRISE_ISA {
namespace {

/// Input i of an op over T, W elements at p or, if fewer are left, n.
template <class T>
struct Values {
  using Stored = T;
  REPRISE_INLINE static Packet<T> read(const T* p) { return {load(p)}; }
  REPRISE_INLINE static Packet<T> read(const T* p, int64_t n) { return {load_n(p, n)}; }
};
/// The same for the condition of `where`.
template <class T>
struct Condition {
  using Stored = uint8_t;
  REPRISE_INLINE static Flags<T> read(const uint8_t* p) {
    return widen(load<uint8_t, kWidth<T>>(p));
  }
  REPRISE_INLINE static Flags<T> read(const uint8_t* p, int64_t n) {
    Vec<uint8_t, kWidth<T>> bytes{};
    __builtin_memcpy(&bytes, p, static_cast<size_t>(n));
    return widen(bytes);
  }
  REPRISE_INLINE static Flags<T> widen(const Vec<uint8_t, kWidth<T>>& bytes) {
    return {convert<Element<Mask<Vec<T>>>>(bytes) != 0};
  }
};
template <class Op, class T, int I>
struct InputOf {
  using type = Values<T>;
};
template <class T>
struct InputOf<Where, T, 0> {
  using type = Condition<T>;
};

template <class T>
REPRISE_INLINE void write(void* out, int64_t at, const Packet<T>& x) {
  store(static_cast<T*>(out) + at, x.v);
}
template <class T>
REPRISE_INLINE void write(void* out, int64_t at, const Packet<T>& x, int64_t n) {
  store_n(static_cast<T*>(out) + at, x.v, n);
}
template <class T>
REPRISE_INLINE void write(void* out, int64_t at, const Flags<T>& x, int64_t n = kWidth<T>) {
  const Vec<uint8_t, kWidth<T>> bytes = convert<uint8_t>(x.v) & 1;
  __builtin_memcpy(static_cast<uint8_t*>(out) + at, &bytes, static_cast<size_t>(n));
}

template <class Op, class T, class... Inputs>
REPRISE_INLINE void run(const Op& op, int64_t n, void* out, const typename Inputs::Stored*... in) {
  constexpr int W = kWidth<T>;
  int64_t i = 0;
  for (; i + W <= n; i += W) write(out, i, op.f(Inputs::read(in + i)...));
  if (i < n) write(out, i, op.f(Inputs::read(in + i, n - i)...), n - i);
}

template <class Op, class T, int... I>
REPRISE_INLINE void spread(const Op& op, int64_t n, void* const* operands, Ints<I...>) {
  run<Op, T, typename InputOf<Op, T, I>::type...>(
      op, n, operands[0],
      static_cast<const typename InputOf<Op, T, I>::type::Stored*>(operands[I + 1])...);
}

template <class Op, class T>
void loop(const void* op, int64_t n, void* const* operands) {
  spread<Op, T>(*static_cast<const Op*>(op), n, operands, IntsBelow<Op::arity>{});
}

template <class Op, class T>
constexpr Loop loop_of() {
  if constexpr (Op::domain != Domain::floating || kFloating<T>) return loop<Op, T>;
  return nullptr;
}
/// In the order of DType.
template <class Op>
constexpr void fill(Loop (&loops)[kDTypeCount]) {
  loops[0] = loop_of<Op, float>();
  loops[1] = loop_of<Op, double>();
  loops[2] = loop_of<Op, int64_t>();
  loops[3] = loop_of<Op, int32_t>();
  loops[4] = loop_of<Op, uint8_t>();
  loops[5] = Op::domain == Domain::all ? loops[4] : nullptr;
}

constexpr ElementwiseTable make_table() {
  ElementwiseTable table{};
#define REPRISE_FILL(Op) fill<Op>(table.loops[static_cast<size_t>(ElementwiseIndex::Op)]);
  REPRISE_ELEMENTWISE_OPS(REPRISE_FILL)
#undef REPRISE_FILL
  return table;
}

}  // namespace

constinit const ElementwiseTable elementwise_table = make_table();

}  // namespace reprise::cpu::REPRISE_ISA
