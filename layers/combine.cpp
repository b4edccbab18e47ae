#include "combine.h"

#include <numeric>

namespace reprise::nn {
namespace {

template <class F>
Tensor fold(const Tensors& in, const F& f) {
  check(!in.empty(), ErrorKind::Value, "expected at least 1 input, got none");
  return std::accumulate(in.begin() + 1, in.end(), in.front(), f);
}

}  // namespace

Reshape::Reshape(const Shape& shape, const ReshapeOptions& options)
    : shape_(shape), options_(options) {
  for (const int64_t size : shape) {
    check(size >= -1, ErrorKind::Shape, "Reshape: expected sizes of at least 0 and one -1, got ",
          size);
  }
}

Tensor Reshape::forward(const Tensor& x) const {
  if (options_.include_batch) return reshape(x, shape_);
  check(x.dim() > 0, ErrorKind::Shape,
        "Reshape: expected a batch of at least 1 dimension, got a scalar");
  Shape whole = shape_;
  whole.insert(0, x.size(0));
  return reshape(x, whole);
}

std::string Reshape::extra_repr() const {
  std::string sizes;  // -1 as it was given
  for (const int64_t size : shape_) sizes += text(sizes.empty() ? "" : ", ", size);
  return text("shape=[", sizes, "]", options_.include_batch ? ", include_batch=True" : "");
}

std::string SliceLayer::extra_repr() const {
  std::string out;
  for (const Index& i : indices_) out += (out.empty() ? "" : ", ") + to_string(i);
  return out;
}

Aggregate::Aggregate(Function f) : f_(std::move(f)) {
  check(f_ != nullptr, ErrorKind::Value, "Aggregate: expected a function, got none");
}
Tensor Aggregate::forward(const Tensors& in) const { return fold(in, f_); }

Tensor Add::forward(const Tensors& in) const {
  return fold(in, [](const Tensor& a, const Tensor& b) { return a + b; });
}
Tensor Sub::forward(const Tensors& in) const {
  return fold(in, [](const Tensor& a, const Tensor& b) { return a - b; });
}
Tensor Mul::forward(const Tensors& in) const {
  return fold(in, [](const Tensor& a, const Tensor& b) { return a * b; });
}
Tensor Matmul::forward(const Tensors& in) const {
  return fold(in, [](const Tensor& a, const Tensor& b) { return matmul(a, b); });
}

}  // namespace reprise::nn
