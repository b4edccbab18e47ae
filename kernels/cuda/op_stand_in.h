#pragma once
// What core/ops/elementwise.h takes from core/op.h, for NVRTC, which has no standard library:
// enough for its declarations, so that the bodies of ops are compiled from the file they stand in.

using int8_t = signed char;
using uint8_t = unsigned char;
using int32_t = int;
using uint32_t = unsigned;
using int64_t = long long;
using uint64_t = unsigned long long;

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
