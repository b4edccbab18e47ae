#include "shape.h"

#include "memory_format.h"

namespace reprise {

Shape::Shape(std::span<const int64_t> sizes) {
  check(sizes.size() <= kMaxDims, ErrorKind::Shape, "shape: expected at most ", kMaxDims,
        " dimensions, got ", sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  dim_ = static_cast<int>(sizes.size());
}

Shape Shape::filled(int dims, int64_t value) {
  Shape s;
  for (int i = 0; i < dims; ++i) s.push_back(value);
  return s;
}

void Shape::push_back(int64_t size) { insert(dim_, size); }

void Shape::insert(int at, int64_t size) {
  check(dim_ < kMaxDims, ErrorKind::Shape, "shape: expected at most ", kMaxDims,
        " dimensions, got ", dim_ + 1);
  std::copy_backward(begin() + at, end(), end() + 1);
  sizes_[static_cast<size_t>(at)] = size;
  ++dim_;
}

void Shape::erase(int at) {
  std::copy(begin() + at + 1, end(), begin() + at);
  --dim_;
}

int64_t Shape::numel() const {
  if (std::find(begin(), end(), 0) != end()) return 0;
  int64_t n = 1;
  for (int64_t s : *this) {
    check(!__builtin_mul_overflow(n, s, &n), ErrorKind::Shape, "shape: the number of elements of ",
          *this, " does not fit 63 bits");
  }
  return n;
}

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ", ";
    out += shape[i] == kUnknown ? "None" : std::to_string(shape[i]);
  }
  return out + "]";
}

std::string to_string(const Pair& pair) { return text("[", pair.h, ", ", pair.w, "]"); }

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    // A product past 63 bits is refused by numel(); here it must only not be undefined.
    (void)__builtin_mul_overflow(step, std::max<int64_t>(shape[i], 1), &step);
  }
  return strides;
}

Strides dense_strides(const Shape& shape, MemoryFormat format) {
  if (format == contiguous_format) return contiguous_strides(shape);
  ensure(shape.dim() == 4, "dense_strides: channels_last of ", shape);
  const Strides inner = contiguous_strides({shape[0], shape[2], shape[3], shape[1]});
  return {inner[0], inner[3], inner[1], inner[2]};
}

Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b) {
  const Shape& longer = a.dim() >= b.dim() ? a : b;
  const Shape& shorter = a.dim() >= b.dim() ? b : a;
  Shape out = longer;
  const size_t lead = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const int64_t x = longer[lead + i], y = shorter[i];
    check(x == y || x == 1 || y == 1, ErrorKind::Shape, op, ": shapes ", a, " and ", b,
          " do not broadcast: expected sizes equal or 1, got ", x, " and ", y);
    out[lead + i] = x == 1 ? y : x;
  }
  return out;
}

void check_sizes(std::string_view op, const Shape& shape) {
  for (int64_t s : shape) {
    check(s >= 0, ErrorKind::Shape, op, ": expected sizes of at least 0, got ", s);
  }
}

int wrap_dim(std::string_view op, int64_t dim, int dims) {
  const int64_t n = std::max(dims, 1);  // a scalar accepts dim 0 and -1, as in PyTorch
  check(dim >= -n && dim < n, ErrorKind::Index, op, ": expected dim in [", -n, ", ", n - 1,
        "], got ", dim);
  return static_cast<int>(dim < 0 ? dim + n : dim);
}

}  // namespace reprise
