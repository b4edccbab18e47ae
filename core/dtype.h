#pragma once
// Element types. float32 is the default; visit_dtype turns a run-time DType into a C++ type. Of the
// 16-bit ones most kernels know nothing: they get operands as float32 (adapted.cpp).

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "error.h"
#include "half.h"

namespace reprise {

enum class DType : uint8_t { float32, float64, int64, int32, uint8, bool_, float16, bfloat16 };

inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType int64 = DType::int64;
inline constexpr DType int32 = DType::int32;
inline constexpr DType uint8 = DType::uint8;
inline constexpr DType bool_ = DType::bool_;
inline constexpr DType float16 = DType::float16;
inline constexpr DType bfloat16 = DType::bfloat16;

inline constexpr int kDTypeCount = 8;

/// Bytes of one element.
constexpr size_t size_of(DType t) {
  constexpr std::array<size_t, kDTypeCount> sizes{4, 8, 8, 4, 1, 1, 2, 2};
  return sizes[static_cast<size_t>(t)];
}

constexpr std::string_view to_string(DType t) {
  constexpr std::array<std::string_view, kDTypeCount> names{
      "float32", "float64", "int64", "int32", "uint8", "bool", "float16", "bfloat16"};
  return names[static_cast<size_t>(t)];
}

/// float16 or bfloat16.
constexpr bool is_half(DType t) { return t >= DType::float16; }

constexpr bool is_floating_point(DType t) { return t == float32 || t == float64 || is_half(t); }

/// The DType of a C++ element type.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return float32;
  if constexpr (std::is_same_v<T, double>) return float64;
  if constexpr (std::is_same_v<T, Half>) return float16;
  if constexpr (std::is_same_v<T, BFloat16>) return bfloat16;
  if constexpr (std::is_same_v<T, bool>) return bool_;
  if constexpr (std::is_same_v<T, uint8_t>) return uint8;
  if constexpr (std::is_integral_v<T> && sizeof(T) == 4) return int32;
  if constexpr (std::is_integral_v<T> && sizeof(T) == 8) return int64;
}

/// The type that holds both, by PyTorch's rules for tensors: bool < uint8 < int32 < int64 < float16
/// and bfloat16 < float32 < float64; of the two 16-bit types neither holds the other, and float32
/// does.
constexpr DType promote(DType a, DType b) {
  constexpr std::array<int, kDTypeCount> rank{5, 6, 3, 2, 1, 0, 4, 4};
  const int ra = rank[static_cast<size_t>(a)], rb = rank[static_cast<size_t>(b)];
  if (ra == rb && a != b) return float32;
  return ra >= rb ? a : b;
}

namespace detail {
[[noreturn]] inline void fail_half(DType t) {
  fail(ErrorKind::Internal, "internal error in Reprise: a kernel got ", t, " elements");
}
}  // namespace detail

/// Calls f.operator()<T>() with the C++ type of `t`, which is none of the 16-bit ones.
template <class F>
decltype(auto) visit_dtype(DType t, F&& f) {
  switch (t) {
    case DType::float32: return f.template operator()<float>();
    case DType::float64: return f.template operator()<double>();
    case DType::int64: return f.template operator()<int64_t>();
    case DType::int32: return f.template operator()<int32_t>();
    case DType::uint8: return f.template operator()<uint8_t>();
    case DType::bool_: return f.template operator()<bool>();
    case DType::float16:
    case DType::bfloat16: break;
  }
  detail::fail_half(t);
}

/// The same with Half and BFloat16 for the 16-bit types.
template <class F>
decltype(auto) visit_any_dtype(DType t, F&& f) {
  if (t == float16) return f.template operator()<Half>();
  if (t == bfloat16) return f.template operator()<BFloat16>();
  return visit_dtype(t, std::forward<F>(f));
}

/// The same with an unsigned integer as wide as an element: for kernels that only move elements.
template <class F>
decltype(auto) visit_bits(DType t, F&& f) {
  switch (size_of(t)) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    default: return f.template operator()<uint64_t>();
  }
}

/// The same for float32 and float64 only; anything else is a DType error that names the op.
template <class F>
decltype(auto) visit_floating(std::string_view op, DType t, F&& f) {
  check(t == float32 || t == float64, ErrorKind::DType, op, ": expected float32 or float64, got ",
        t);
  if (t == float32) return f.template operator()<float>();
  return f.template operator()<double>();
}

}  // namespace reprise
