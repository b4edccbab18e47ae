// Tensor's fluent methods: each is the function of the same name.

#include "../ops.h"

namespace reprise {

Tensor Tensor::neg() const { return reprise::neg(*this); }
Tensor Tensor::abs() const { return reprise::abs(*this); }
Tensor Tensor::sign() const { return reprise::sign(*this); }
Tensor Tensor::exp() const { return reprise::exp(*this); }
Tensor Tensor::log() const { return reprise::log(*this); }
Tensor Tensor::sqrt() const { return reprise::sqrt(*this); }
Tensor Tensor::tanh() const { return reprise::tanh(*this); }
Tensor Tensor::sigmoid() const { return reprise::sigmoid(*this); }
Tensor Tensor::gelu(std::string_view approximate) const {
  return reprise::gelu(*this, approximate);
}
Tensor Tensor::relu() const { return reprise::relu(*this); }
Tensor Tensor::clamp(std::optional<Scalar> min, std::optional<Scalar> max) const {
  return reprise::clamp(*this, min, max);
}
#define REPRISE_BINARY_METHOD(name)                                                      \
  Tensor Tensor::name(const Tensor& other) const { return reprise::name(*this, other); } \
  Tensor Tensor::name(Scalar other) const { return reprise::name(*this, other); }
REPRISE_BINARY_METHOD(add)
REPRISE_BINARY_METHOD(sub)
REPRISE_BINARY_METHOD(mul)
REPRISE_BINARY_METHOD(div)
REPRISE_BINARY_METHOD(remainder)
REPRISE_BINARY_METHOD(pow)
REPRISE_BINARY_METHOD(maximum)
REPRISE_BINARY_METHOD(minimum)
REPRISE_BINARY_METHOD(eq)
REPRISE_BINARY_METHOD(ne)
REPRISE_BINARY_METHOD(lt)
REPRISE_BINARY_METHOD(le)
REPRISE_BINARY_METHOD(gt)
REPRISE_BINARY_METHOD(ge)
#undef REPRISE_BINARY_METHOD
Tensor Tensor::where(const Tensor& condition, const Tensor& other) const {
  return reprise::where(condition, *this, other);
}
Tensor Tensor::where(const Tensor& condition, Scalar other) const {
  return reprise::where(condition, *this, other);
}
Tensor Tensor::matmul(const Tensor& other) const { return reprise::matmul(*this, other); }
Tensor Tensor::sum(const Dims& dims, bool keepdim) const {
  return reprise::sum(*this, dims, keepdim);
}
Tensor Tensor::mean(const Dims& dims, bool keepdim) const {
  return reprise::mean(*this, dims, keepdim);
}
Tensor Tensor::all(const Dims& dims, bool keepdim) const {
  return reprise::all(*this, dims, keepdim);
}
Tensor Tensor::any(const Dims& dims, bool keepdim) const {
  return reprise::any(*this, dims, keepdim);
}
Tensor Tensor::max() const { return reprise::max(*this); }
ValuesIndices Tensor::max(int64_t dim, bool keepdim) const {
  return reprise::max(*this, dim, keepdim);
}
Tensor Tensor::min() const { return reprise::min(*this); }
ValuesIndices Tensor::min(int64_t dim, bool keepdim) const {
  return reprise::min(*this, dim, keepdim);
}
Tensor Tensor::argmax(std::optional<int64_t> dim, bool keepdim) const {
  return reprise::argmax(*this, dim, keepdim);
}
Tensor Tensor::argmin(std::optional<int64_t> dim, bool keepdim) const {
  return reprise::argmin(*this, dim, keepdim);
}
Tensor Tensor::softmax(int64_t dim) const { return reprise::softmax(*this, dim); }
Tensor Tensor::log_softmax(int64_t dim) const { return reprise::log_softmax(*this, dim); }
Tensor Tensor::reshape(const Shape& shape) const { return reprise::reshape(*this, shape); }
Tensor Tensor::view(const Shape& shape) const { return reprise::view(*this, shape); }
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const {
  return reprise::flatten(*this, start_dim, end_dim);
}
Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const {
  return reprise::transpose(*this, dim0, dim1);
}
Tensor Tensor::t() const { return reprise::t(*this); }
Tensor Tensor::T() const { return t(); }
Tensor Tensor::mT() const { return transpose(-2, -1); }
Tensor Tensor::permute(const Shape& dims) const { return reprise::permute(*this, dims); }
Tensor Tensor::slice(int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
                     int64_t step) const {
  return reprise::slice(*this, dim, start, end, step);
}
Tensor Tensor::select(int64_t dim, int64_t index) const {
  return reprise::select(*this, dim, index);
}
Tensor Tensor::expand(const Shape& shape) const { return reprise::expand(*this, shape); }
Tensor Tensor::squeeze(std::optional<int64_t> dim) const { return reprise::squeeze(*this, dim); }
Tensor Tensor::unsqueeze(int64_t dim) const { return reprise::unsqueeze(*this, dim); }
Tensor Tensor::gather(int64_t dim, const Tensor& index) const {
  return reprise::gather(*this, dim, index);
}
Tensor Tensor::index_select(int64_t dim, const Tensor& index) const {
  return reprise::index_select(*this, dim, index);
}
Tensors Tensor::unbind(int64_t dim) const { return reprise::unbind(*this, dim); }
Tensors Tensor::split(int64_t split_size, int64_t dim) const {
  return reprise::split(*this, split_size, dim);
}
Tensors Tensor::split(const std::vector<int64_t>& sizes, int64_t dim) const {
  return reprise::split(*this, sizes, dim);
}
Tensors Tensor::chunk(int64_t chunks, int64_t dim) const {
  return reprise::chunk(*this, chunks, dim);
}
Tensor Tensor::index(const std::vector<Index>& indices) const {
  return reprise::index(*this, indices);
}
Tensor Tensor::operator[](int64_t i) const { return reprise::select(*this, 0, i); }
Tensor Tensor::operator[](const Index& i) const { return reprise::index(*this, {i}); }
Tensor Tensor::operator[](std::initializer_list<Index> indices) const {
  return reprise::index(*this, indices);
}

}  // namespace reprise
