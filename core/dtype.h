#pragma once
// Element types. float32 is the default; visit_dtype turns a run-time DType into a C++ type.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "error.h"

namespace reprise {

enum class DType : uint8_t { float32, float64, int64, int32, uint8, bool_ };

inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType int64 = DType::int64;
inline constexpr DType int32 = DType::int32;
inline constexpr DType uint8 = DType::uint8;
inline constexpr DType bool_ = DType::bool_;

inline constexpr int kDTypeCount = 6;

/// Bytes of one element.
constexpr size_t size_of(DType t) {
  constexpr std::array<size_t, kDTypeCount> sizes{4, 8, 8, 4, 1, 1};
  return sizes[static_cast<size_t>(t)];
}

constexpr std::string_view to_string(DType t) {
  constexpr std::array<std::string_view, kDTypeCount> names{"float32", "float64", "int64",
                                                            "int32",   "uint8",   "bool"};
  return names[static_cast<size_t>(t)];
}

constexpr bool is_floating_point(DType t) { return t == float32 || t == float64; }

/// The DType of a C++ element type.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return float32;
  if constexpr (std::is_same_v<T, double>) return float64;
  if constexpr (std::is_same_v<T, bool>) return bool_;
  if constexpr (std::is_same_v<T, uint8_t>) return uint8;
  if constexpr (std::is_integral_v<T> && sizeof(T) == 4) return int32;
  if constexpr (std::is_integral_v<T> && sizeof(T) == 8) return int64;
}

/// The type that holds both, by PyTorch's rules for tensors: bool < uint8 < int32 < int64 < float32
/// < float64.
constexpr DType promote(DType a, DType b) {
  constexpr std::array<int, kDTypeCount> rank{4, 5, 3, 2, 1, 0};
  return rank[static_cast<size_t>(a)] >= rank[static_cast<size_t>(b)] ? a : b;
}

/// Calls f.operator()<T>() with the C++ type of `t`.
template <class F>
decltype(auto) visit_dtype(DType t, F&& f) {
  switch (t) {
    case DType::float32: return f.template operator()<float>();
    case DType::float64: return f.template operator()<double>();
    case DType::int64: return f.template operator()<int64_t>();
    case DType::int32: return f.template operator()<int32_t>();
    case DType::uint8: return f.template operator()<uint8_t>();
    case DType::bool_: break;
  }
  return f.template operator()<bool>();
}

/// The same for float32 and float64 only; anything else is a DType error that names the op.
template <class F>
decltype(auto) visit_floating(std::string_view op, DType t, F&& f) {
  check(is_floating_point(t), ErrorKind::DType, op, ": expected float32 or float64, got ", t);
  if (t == float32) return f.template operator()<float>();
  return f.template operator()<double>();
}

}  // namespace reprise
