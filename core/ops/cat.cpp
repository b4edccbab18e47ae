#include "cat.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "view.h"

namespace reprise {

Metas Cat::infer(std::span<const Meta> in) const {
  check(!in.empty(), ErrorKind::Value, "cat: expected at least one tensor, got none");
  check_dim(name, dim, in[0].dim());
  Shape shape = in[0].shape;
  const auto at = static_cast<size_t>(dim);
  for (size_t i = 1; i < in.size(); ++i) {
    Shape other = in[i].shape;
    check(other.dim() == shape.dim() && in[i].dtype == in[0].dtype, ErrorKind::Shape,
          "cat: expected tensors like ", in[0].dtype, in[0].shape, ", got ", in[i].dtype, other,
          " at position ", i);
    std::swap(other[at], shape[at]);  // the only size that may differ
    const bool same = [&] {
      for (size_t d = 0; d < shape.size(); ++d) {
        if (d != at && other[d] != shape[d]) return false;
      }
      return true;
    }();
    std::swap(other[at], shape[at]);
    check(same, ErrorKind::Shape, "cat: expected sizes like ", in[0].shape, " besides dim ", dim,
          ", got ", other, " at position ", i);
    shape[at] = checked_add(name, shape[at], other[at]);
  }
  return {checked_meta(name, shape, in[0].dtype)};
}

Tensors Cat::vjp(const Vjp& v) const {
  Tensors out;
  int64_t start = 0;
  for (const Tensor& x : v.in) {
    const int64_t size = x.size(dim);
    out.push_back(apply(StridedSlice{dim, start, size, 1}, v.gy[0]));
    start += size;
  }
  return out;
}

// ---- public functions
// --------------------------------------------------------------------------------

namespace {

/// A function of any number of tensors, for symbolic ones.
class CatCallable final : public Callable {
 public:
  explicit CatCallable(int64_t dim) : dim_(dim) {}
  std::string name() const override { return "cat"; }
  Tensors call(std::span<const Tensor> in) override { return {cat(Tensors(in), dim_)}; }
  std::shared_ptr<Callable> copy() const override { return std::make_shared<CatCallable>(*this); }

 private:
  int64_t dim_;
};

}  // namespace

Tensor cat(const Tensors& tensors, int64_t dim) {
  check(!tensors.empty(), ErrorKind::Value, "cat: expected at least one tensor, got none");
  for (const Tensor& x : tensors) {
    if (x.is_symbolic()) return call_symbolic(std::make_shared<CatCallable>(dim), tensors).front();
  }
  check(tensors[0].dim() > 0, ErrorKind::Shape, "cat: expected at least 1 dimension, got a scalar");
  const Cat op{wrap_dim("cat", dim, tensors[0].dim())};
  DType dtype = tensors[0].dtype();
  for (const Tensor& x : tensors) dtype = promote(dtype, x.dtype());
  Tensors in;
  for (const Tensor& x : tensors) in.push_back(x.to(dtype));
  return dispatch(Model(op), in).front();
}

Tensor stack(const Tensors& tensors, int64_t dim) {
  Tensors rows;
  for (const Tensor& x : tensors) rows.push_back(unsqueeze(x, dim));
  check(!rows.empty(), ErrorKind::Value, "stack: expected at least one tensor, got none");
  return cat(rows, dim < 0 ? dim + rows[0].dim() : dim);
}

}  // namespace reprise
