#pragma once
// Calls of every op as infer sees them.

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "../../core/model.h"

namespace reprise {

inline constexpr int64_t kHuge = int64_t{1} << 62;

/// A call, by its op and the metas of its operands.
struct Calls {
  OpRef op;
  std::vector<Meta> in;
};

using Table = std::vector<Calls>;

/// What public functions would make: at least one call of every op.
Table good_calls();
/// What only a file could ask for; each must be refused.
Table bad_calls();

/// Those of convolutions, pools and norms.
Table image_calls();
Table bad_image_calls();

// ---- what the tables are written with

inline constexpr int64_t kMin = INT64_MIN;

template <Op T>
Calls call(const T& op, std::vector<Meta> in) {
  return {Model<T>(op).keep(), std::move(in)};
}

inline Meta f32(const Shape& shape) { return Meta(shape, float32); }
inline Meta f64(const Shape& shape) { return Meta(shape, float64); }
inline Meta i64(const Shape& shape) { return Meta(shape, int64); }
inline Meta u8(const Shape& shape) { return Meta(shape, uint8); }
inline Meta mask(const Shape& shape) { return Meta(shape, bool_); }
/// Every second element of a row.
inline Meta apart(const Shape& shape) {
  Meta meta = f32(shape);
  for (int64_t& stride : meta.strides) stride *= 2;
  return meta;
}
inline Meta wide(const Shape& shape) { return Meta(shape, Shape::filled(shape.dim(), 0), float32); }

inline std::vector<Meta> with(std::vector<Meta> in, size_t at, const Meta& other) {
  in.at(at) = other;
  return in;
}

inline Table joined(std::initializer_list<Table> tables) {
  Table out;
  for (const Table& table : tables) out.insert(out.end(), table.begin(), table.end());
  return out;
}

}  // namespace reprise
