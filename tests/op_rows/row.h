#pragma once
// A row describes one op for everything that is done to every op: tests in all modes and timings in
// bench/. `RowsOf<T>` must be specialised for every op of core/ops/ (all_rows.cpp walks the list
// that the build reads off the headers), so an op without a row does not compile.

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "../../core/ops.h"
#include "../../core/ops/memory_format.h"
#include "array.h"

namespace reprise::op_rows {

/// How an operand is made: its shape and where its values lie.
struct Operand {
  Shape shape;
  double low = -2, high = 2;
  enum class Kind : uint8_t {
    real,      // float32 or float64, as the mode wants
    whole,     // whole numbers of the same dtype: equal values happen
    index,     // int64 in [low, high]
    mask,      // bool
    constant,  // real, but without a gradient
  } kind = Kind::real;
};

struct OpRow {
  std::string name;
  std::function<Tensors(const Tensors&)> f;        ///< what is tested
  std::function<Arrays(const Arrays&)> reference;  ///< plain loops in double
  std::vector<Operand> operands;                   ///< of the tests: small
  std::vector<std::vector<Operand>> sizes;         ///< small, medium, large for timings
  bool differentiable = true;
  bool integers = false;   ///< also runs on int64 and int32
  bool any_layout = true;  ///< operands may have any strides
  bool any_batch = true;   ///< works when the first dimension of every operand is 0
  bool propagates_nan = true;
  bool follows_format = false;  ///< of the op; results of 4 dimensions are channels-last or not
  bool symbolic = true;         ///< f may be called on symbolic tensors
  double tolerance = 1e-5;      ///< relative, in float32; 1e-9 of it in float64
  double unit = 1;              ///< multiples of it stay whole numbers where f divides
};

inline std::ostream& operator<<(std::ostream& out, const OpRow& row) { return out << row.name; }

using OpRows = std::vector<OpRow>;

/// Specialised for every op: `static OpRows make()`.
template <class T>
struct RowsOf;

OpRows all_rows();

/// Where what `f` makes besides x belongs: with it, and on the CPU where x is symbolic.
inline Device beside(const Tensor& x) {
  return x.device().kind == Device::Kind::meta ? Device() : x.device();
}

/// The operands as kernels want them: dense, those of 4 dimensions in the memory format of all.
inline Tensors dense(const Tensors& in) {
  Tensors out;
  MemoryFormat format = contiguous_format;
  for (const Tensor& x : in) format = std::max(format, x.meta().memory_format());
  for (const Tensor& x : in) out.push_back(detail::dense(x, format));
  return out;
}

/// Values for an operand, the same for the same seed. float32 values are exact in both dtypes.
Tensor draw(const Operand& operand, DType real, uint64_t seed);

}  // namespace reprise::op_rows
