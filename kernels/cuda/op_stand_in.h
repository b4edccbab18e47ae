#pragma once
// What core/ops/elementwise.h takes from core/op.h, and core/half.h from the standard library, for
// NVRTC, which has none: enough for their declarations, so that the bodies of ops are compiled from
// the file they stand in. It is included by several names, which count as several files.

#if !defined(REPRISE_OP_STAND_IN)
#define REPRISE_OP_STAND_IN

using int8_t = signed char;
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned;
using int64_t = long long;
using uint64_t = unsigned long long;
using uintptr_t = unsigned long long;

namespace std {
struct string_view {
  constexpr string_view(const char*) {}
};
template <class>
struct span;
template <class... T>
struct tuple {
  tuple(T...) {}
};
template <class A, class B>
inline constexpr bool is_same_v = false;
template <class A>
inline constexpr bool is_same_v<A, A> = true;
template <class T>
concept integral = !is_same_v<T, float> && !is_same_v<T, double>;  // of the types of elements
template <class To, class From>
constexpr To bit_cast(const From& x) {
  return __builtin_bit_cast(To, x);
}
}  // namespace std

namespace reprise {

enum class DType : uint8_t;
struct Meta;
struct Metas;
struct Launch;
struct Tensors;
struct Vjp;
template <class T>
struct Attr {
  Attr(std::string_view, const T&) {}
};

}  // namespace reprise

#endif
