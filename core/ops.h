#pragma once
// The public functions on tensors. They check, promote dtypes and broadcast, and call the ops of
// core/ops/. Names, arguments and defaults are PyTorch's. All are differentiable where it makes
// sense, and all take symbolic tensors. Errors are reprise::Error and name the function.

#include <cmath>
#include <optional>

#include "creation.h"
#include "indexing.h"
#include "tensor.h"

namespace reprise {

/// The dtype in which a binary op computes, PyTorch's torch.result_type: that which holds both, but
/// a tensor without dimensions does not widen that of one with some among integers or among floats.
/// A number makes integers of bool and float32 of integers.
REPRISE_API DType result_type(const Tensor& a, const Tensor& b);
REPRISE_API DType result_type(const Tensor& a, Scalar b);

// ---- Elementwise; binary ones broadcast and promote (result_type) -------------------------------
REPRISE_API Tensor neg(const Tensor& x);
REPRISE_API Tensor abs(const Tensor& x);
REPRISE_API Tensor sign(const Tensor& x);
REPRISE_API Tensor relu(const Tensor& x);
REPRISE_API Tensor relu_grad(const Tensor& gy, const Tensor& y);
REPRISE_API Tensor exp(const Tensor& x);
REPRISE_API Tensor log(const Tensor& x);
REPRISE_API Tensor sqrt(const Tensor& x);
REPRISE_API Tensor tanh(const Tensor& x);
REPRISE_API Tensor sigmoid(const Tensor& x);
/// x P(x) with the normal distribution P, or its approximation by a "tanh" (Value error for another
/// name than "none" and this).
REPRISE_API Tensor gelu(const Tensor& x, std::string_view approximate = "none");
/// Values below `min` become min, values above `max` become max; NaN stays.
REPRISE_API Tensor clamp(const Tensor& x, std::optional<Scalar> min,
                         std::optional<Scalar> max = {});
/// In arithmetic bool counts as int64.
REPRISE_API Tensor add(const Tensor& a, const Tensor& b);
REPRISE_API Tensor sub(const Tensor& a, const Tensor& b);
REPRISE_API Tensor mul(const Tensor& a, const Tensor& b);
/// True division: integers become float32.
REPRISE_API Tensor div(const Tensor& a, const Tensor& b);
/// a - b * floor(a / b), with the sign of b. An integer modulo 0: Value error, but 0
/// where the divisor lies in the memory of a GPU.
REPRISE_API Tensor remainder(const Tensor& a, const Tensor& b);
/// Integers become float32.
REPRISE_API Tensor pow(const Tensor& a, const Tensor& b);
REPRISE_API Tensor maximum(const Tensor& a, const Tensor& b);
REPRISE_API Tensor minimum(const Tensor& a, const Tensor& b);
REPRISE_API Tensor eq(const Tensor& a, const Tensor& b);
REPRISE_API Tensor ne(const Tensor& a, const Tensor& b);
REPRISE_API Tensor lt(const Tensor& a, const Tensor& b);
REPRISE_API Tensor le(const Tensor& a, const Tensor& b);
REPRISE_API Tensor gt(const Tensor& a, const Tensor& b);
REPRISE_API Tensor ge(const Tensor& a, const Tensor& b);
/// a where `condition` (bool) holds, else b.
REPRISE_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// A number beside a tensor does not change the tensor's dtype, except a float beside integers.
#define REPRISE_BINARY_WITH_SCALAR(function)              \
  REPRISE_API Tensor function(const Tensor& a, Scalar b); \
  REPRISE_API Tensor function(Scalar a, const Tensor& b);
REPRISE_BINARY_WITH_SCALAR(add)
REPRISE_BINARY_WITH_SCALAR(sub)
REPRISE_BINARY_WITH_SCALAR(mul)
REPRISE_BINARY_WITH_SCALAR(div)
REPRISE_BINARY_WITH_SCALAR(remainder)
REPRISE_BINARY_WITH_SCALAR(pow)
REPRISE_BINARY_WITH_SCALAR(maximum)
REPRISE_BINARY_WITH_SCALAR(minimum)
REPRISE_BINARY_WITH_SCALAR(eq)
REPRISE_BINARY_WITH_SCALAR(ne)
REPRISE_BINARY_WITH_SCALAR(lt)
REPRISE_BINARY_WITH_SCALAR(le)
REPRISE_BINARY_WITH_SCALAR(gt)
REPRISE_BINARY_WITH_SCALAR(ge)
#undef REPRISE_BINARY_WITH_SCALAR
REPRISE_API Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
REPRISE_API Tensor where(const Tensor& condition, Scalar a, const Tensor& b);

/// Either operand a tensor, the other a tensor or a number.
template <class A, class B>
concept TensorOperands = (std::derived_from<A, Tensor> && std::convertible_to<B, Scalar>) ||
                         (std::derived_from<B, Tensor> && std::convertible_to<A, Scalar>) ||
                         (std::derived_from<A, Tensor> && std::derived_from<B, Tensor>);
template <class A, class B>
requires TensorOperands<A, B> Tensor operator+(const A& a, const B& b) { return add(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator-(const A& a, const B& b) { return sub(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator*(const A& a, const B& b) { return mul(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator/(const A& a, const B& b) { return div(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator%(const A& a, const B& b) { return remainder(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator<(const A& a, const B& b) { return lt(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator<=(const A& a, const B& b) { return le(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator>(const A& a, const B& b) { return gt(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator>=(const A& a, const B& b) { return ge(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator==(const A& a, const B& b) { return eq(a, b); }
template <class A, class B>
requires TensorOperands<A, B> Tensor operator!=(const A& a, const B& b) { return ne(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }

// ---- Reductions; no dims means all --------------------------------------------------------------
/// Integers and bool sum to int64.
REPRISE_API Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Floating point only; the mean of nothing is NaN.
REPRISE_API Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Whether all, or any, elements are not zero; NaN is not. bool, but uint8 for uint8. All of
/// nothing are, none of nothing is.
REPRISE_API Tensor all(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
REPRISE_API Tensor any(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Largest or smallest element; NaN wins, and the first of equal ones gets the gradient. Value
/// error for an empty tensor.
REPRISE_API Tensor max(const Tensor& x);
REPRISE_API Tensor min(const Tensor& x);
/// The same along one dimension, with the index of the first one.
REPRISE_API ValuesIndices max(const Tensor& x, int64_t dim, bool keepdim = false);
REPRISE_API ValuesIndices min(const Tensor& x, int64_t dim, bool keepdim = false);
/// Index of the largest element: along `dim`, or in row-major order of the whole tensor.
REPRISE_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
REPRISE_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
REPRISE_API Tensor softmax(const Tensor& x, int64_t dim);
REPRISE_API Tensor log_softmax(const Tensor& x, int64_t dim);

// ---- Matrix products ----------------------------------------------------------------------------
/// Vectors, matrices and batches of matrices by PyTorch's rules: [.., M, K] x [.., K, N] -> [.., M,
/// N].
REPRISE_API Tensor matmul(const Tensor& a, const Tensor& b);
/// x [.., in] with weight [out, in] and bias [out] (may be undefined) -> [.., out].
REPRISE_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// ---- Images: [N, C, H, W] or [C, H, W] ----------------------------------------------------------
struct Conv2dOptions {
  Pair stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
};
/// x [N, C, H, W], weight [O, C/groups, KH, KW], bias [O] (may be undefined) -> [N, O, OH, OW] with
/// OH = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1.
REPRISE_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                          const Conv2dOptions& options = {});

struct MaxPool2dOptions {
  std::optional<Pair> stride = {};  ///< default: kernel_size
  Pair padding = 0, dilation = 1;
  bool ceil_mode = false;
};
REPRISE_API Tensor max_pool2d(const Tensor& x, Pair kernel_size,
                              const MaxPool2dOptions& options = {});
/// Also where each value stood: h * W + w (int64).
REPRISE_API ValuesIndices max_pool2d_with_indices(const Tensor& x, Pair kernel_size,
                                                  const MaxPool2dOptions& options = {});

struct AvgPool2dOptions {
  std::optional<Pair> stride = {};  ///< default: kernel_size
  Pair padding = 0;
  bool ceil_mode = false, count_include_pad = true;
  std::optional<int64_t> divisor_override = {};
};
REPRISE_API Tensor avg_pool2d(const Tensor& x, Pair kernel_size,
                              const AvgPool2dOptions& options = {});

// ---- Normalisation, dropout, losses -------------------------------------------------------------
struct BatchNormOptions {
  bool training = false;
  std::optional<double> momentum = 0.1;  ///< none: cumulative average
  double eps = 1e-5;
};
/// x [N, C, ...]. In training the statistics of the batch are used and running_mean, running_var
/// [C] and num_batches_tracked (0-dim int64) are updated; else the running ones are used. weight,
/// bias [C] and, in training, the running statistics may be undefined.
REPRISE_API Tensor batch_norm(const Tensor& x, const Tensor& running_mean,
                              const Tensor& running_var, const Tensor& weight = {},
                              const Tensor& bias = {}, const BatchNormOptions& options = {},
                              const Tensor& num_batches_tracked = {});
/// In training, zero with probability p, else x / (1 - p).
REPRISE_API Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);

enum class Reduction : uint8_t { none, mean, sum };
struct CrossEntropyOptions {
  Tensor weight = {};  ///< of each class [C]; may be undefined
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;
};
/// x [N, C] or [N, C, ...] logits, target [N] or [N, ...] class indices (int64) in [0, C).
REPRISE_API Tensor cross_entropy(const Tensor& x, const Tensor& target,
                                 const CrossEntropyOptions& options = {});
/// (x - target)^2; equal shapes, or such that broadcast.
REPRISE_API Tensor mse_loss(const Tensor& x, const Tensor& target,
                            Reduction reduction = Reduction::mean);

// ---- Shapes; views wherever strides allow -------------------------------------------------------
/// One size may be -1. Copies only when the strides do not allow a view.
REPRISE_API Tensor reshape(const Tensor& x, const Shape& shape);
/// The same, but a Shape error where a copy would be needed.
REPRISE_API Tensor view(const Tensor& x, const Shape& shape);
REPRISE_API Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
REPRISE_API Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
/// Transpose of a matrix; vectors and scalars stay.
REPRISE_API Tensor t(const Tensor& x);
REPRISE_API Tensor permute(const Tensor& x, const Shape& dims);
/// Elements start, start + step, ... below end of one dimension; bounds are clamped as in Python.
REPRISE_API Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start = {},
                         std::optional<int64_t> end = {}, int64_t step = 1);
/// One index of a dimension, which goes away.
REPRISE_API Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// -1 keeps a size.
REPRISE_API Tensor expand(const Tensor& x, const Shape& shape);
REPRISE_API Tensor squeeze(const Tensor& x, std::optional<int64_t> dim = {});
REPRISE_API Tensor unsqueeze(const Tensor& x, int64_t dim);
REPRISE_API Tensor cat(const Tensors& tensors, int64_t dim = 0);
REPRISE_API Tensor stack(const Tensors& tensors, int64_t dim = 0);
/// x[i][index[i][j]][k] for dim 1; see core/ops/index.h.
REPRISE_API Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
/// x[:, index] for dim 1: that dimension is replaced by those of `index` (int64, of any shape),
/// whose negative values count from the back. Index error for a value outside (a GPU reads 0).
REPRISE_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
/// x[indices] as in Python (indexing.h). Index error for more indices than dimensions, Value error
/// for two ellipses or two tensors.
REPRISE_API Tensor index(const Tensor& x, const std::vector<Index>& indices);
// The size of `dim` must be known (Graph error).
/// Every index of a dimension, which goes away.
REPRISE_API Tensors unbind(const Tensor& x, int64_t dim = 0);
/// Parts of `split_size` each, the last one of what is left.
REPRISE_API Tensors split(const Tensor& x, int64_t split_size, int64_t dim = 0);
/// Parts of these sizes. Shape error unless they add up to the size of the dimension.
REPRISE_API Tensors split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim = 0);
/// At most `chunks` parts of equal size, the last one may be smaller.
REPRISE_API Tensors chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
/// A dense copy, channels-last when `x` is.
REPRISE_API Tensor clone(const Tensor& x);

}  // namespace reprise
