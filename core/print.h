#pragma once
// Sizes, element types and devices in a stream: `out << x.shape() << x.dtype()`.

#include <ostream>

#include "device.h"
#include "dtype.h"
#include "shape.h"

namespace reprise {

inline std::ostream& operator<<(std::ostream& out, const Shape& x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, const Pair& x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, DType x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, Device x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, ErrorKind x) { return out << to_string(x); }

}  // namespace reprise
