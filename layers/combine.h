#pragma once
// Layers without parameters that join any number of inputs, cut one up, or see it in another shape.

#include <functional>

#include "../core/ops.h"
#include "layer.h"

namespace reprise::nn {

/// Inputs one behind the other along `dim`, in which alone their sizes may differ.
class REPRISE_API Concat : public Layer<Concat> {
 public:
  explicit Concat(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensors& in) const { return cat(in, dim_); }
  std::string extra_repr() const override { return text("dim=", dim_); }

 private:
  int64_t dim_;
};

/// Inputs of one shape side by side in a new dimension `dim`.
class REPRISE_API Stack : public Layer<Stack> {
 public:
  explicit Stack(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensors& in) const { return stack(in, dim_); }
  std::string extra_repr() const override { return text("dim=", dim_); }

 private:
  int64_t dim_;
};

/// The slices of its input along `dim`, as many outputs: `auto [a, b] = unpack<2>(layer(x))`. Graph
/// error for a symbol whose size there is unknown.
class REPRISE_API Unpack : public Layer<Unpack> {
 public:
  explicit Unpack(int64_t dim = 0) : dim_(dim) {}
  Tensors forward(const Tensor& x) const { return unbind(x, dim_); }
  std::string extra_repr() const override { return text("dim=", dim_); }

 private:
  int64_t dim_;
};

struct ReshapeOptions {
  bool include_batch = false;  ///< `shape` is the whole shape
};
/// [N, ...] -> [N, shape...]; one size may be -1.
class REPRISE_API Reshape : public Layer<Reshape> {
 public:
  explicit Reshape(const Shape& shape, const ReshapeOptions& options = {});
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  Shape shape_;
  ReshapeOptions options_;
};

/// x[indices] as in Python: SliceLayer({Slice(), Slice(0, 3), Ellipsis}); the batch is indexed too.
class REPRISE_API SliceLayer : public Layer<SliceLayer> {
 public:
  explicit SliceLayer(std::vector<Index> indices) : indices_(std::move(indices)) {}
  Tensor forward(const Tensor& x) const { return index(x, indices_); }
  std::string extra_repr() const override;

 private:
  std::vector<Index> indices_;
};

/// Any number of inputs joined by a function of two, from the left: f(f(a, b), c). One input is the
/// output. Value error without a function.
class REPRISE_API Aggregate : public Layer<Aggregate> {
 public:
  using Function = std::function<Tensor(const Tensor&, const Tensor&)>;

  explicit Aggregate(Function f);
  Tensor forward(const Tensors& in) const;

 private:
  Function f_;
};

// Inputs joined by an operator from the left: a + b + c. They broadcast; one alone is the output.

class REPRISE_API Add : public Layer<Add> {
 public:
  Tensor forward(const Tensors& in) const;
};
class REPRISE_API Sub : public Layer<Sub> {
 public:
  Tensor forward(const Tensors& in) const;
};
class REPRISE_API Mul : public Layer<Mul> {
 public:
  Tensor forward(const Tensors& in) const;
};
class REPRISE_API Matmul : public Layer<Matmul> {
 public:
  Tensor forward(const Tensors& in) const;
};

}  // namespace reprise::nn
