#pragma once
// Activations: layers without parameters.

#include "../core/ops.h"
#include "layer.h"

namespace reprise::nn {

class REPRISE_API ReLU : public Layer<ReLU> {
 public:
  Tensor forward(const Tensor& x) const { return relu(x); }
};

class REPRISE_API Tanh : public Layer<Tanh> {
 public:
  Tensor forward(const Tensor& x) const { return tanh(x); }
};

class REPRISE_API Sigmoid : public Layer<Sigmoid> {
 public:
  Tensor forward(const Tensor& x) const { return sigmoid(x); }
};

/// `approximate` is "none" or "tanh" (Value error in forward).
class REPRISE_API GELU : public Layer<GELU> {
 public:
  explicit GELU(std::string_view approximate = "none") : approximate_(approximate) {}
  Tensor forward(const Tensor& x) const { return gelu(x, approximate_); }
  std::string extra_repr() const override { return text("approximate='", approximate_, "'"); }

 private:
  std::string approximate_;
};

/// Over `dim`, which may count from the back. Index error in forward when x has no such dimension.
class REPRISE_API Softmax : public Layer<Softmax> {
 public:
  explicit Softmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return softmax(x, dim_); }
  std::string extra_repr() const override { return text("dim=", dim_); }

 private:
  int64_t dim_;
};

class REPRISE_API LogSoftmax : public Layer<LogSoftmax> {
 public:
  explicit LogSoftmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return log_softmax(x, dim_); }
  std::string extra_repr() const override { return text("dim=", dim_); }

 private:
  int64_t dim_;
};

}  // namespace reprise::nn
