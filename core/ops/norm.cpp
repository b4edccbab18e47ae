#include "norm.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "memory_format.h"

namespace reprise {
namespace {

void check_x(const Meta& x) {
  check(is_floating_point(x.dtype), ErrorKind::DType,
        "batch_norm: expected a floating-point dtype, got ", x.dtype);
  check(x.dim() >= 2, ErrorKind::Shape, "batch_norm: expected x [N, C, ...], got ", x.shape);
}

void check_channels(std::string_view argument, const Meta& got, const Meta& x) {
  check(got.shape == Shape{x.shape[1]}, ErrorKind::Shape, "batch_norm: expected ", argument,
        " of shape [", x.shape[1], "], got ", got.shape);
  check(got.dtype == x.dtype || (is_half(x.dtype) && got.dtype == float32), ErrorKind::DType,
        "batch_norm: expected ", argument, " of ", x.dtype, ", got ", got.dtype);
}

/// The dtype of statistics: those of 16-bit values are float32.
DType wide_dtype(DType x) { return is_half(x) ? float32 : x; }
Tensor wide(const Tensor& x) { return x.to(wide_dtype(x.dtype())); }

/// [C] as [1, C, 1, ...], to stand beside x.
Tensor beside(const Tensor& channel, const Shape& x) {
  Shape shape = Shape::filled(x.dim(), 1);
  shape[1] = channel.numel();
  return reshape(channel, shape);
}

/// All dimensions but that of the channels.
Dims batch_dims(const Tensor& x) {
  Dims dims;
  for (int d = 0; d < x.dim(); ++d) {
    if (d != 1) dims.push_back(d);
  }
  return dims;
}

}  // namespace

Metas BatchNorm::infer(std::span<const Meta> in) const {
  check_count(name, in, 6);
  const Meta& x = in[0];
  check_x(x);
  const int64_t c = x.shape[1];
  check(x.numel() != c || c == 0, ErrorKind::Shape,
        "batch_norm: expected more than one value per channel in training, got x of shape ",
        x.shape);
  const std::array<std::string_view, 4> names{"weight", "bias", "running_mean", "running_var"};
  for (size_t i = 0; i < names.size(); ++i) check_channels(names[i], in[i + 1], x);
  check(in[5].shape.empty() && in[5].dtype == int64, ErrorKind::Shape,
        "batch_norm: expected num_batches_tracked as int64[], got ", in[5].dtype, in[5].shape);
  check_dense(name, in.first(1));
  const Meta statistic({c}, wide_dtype(x.dtype));
  return {Meta(x.shape, x.dtype), statistic, statistic};
}

Metas BatchNormGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 5);
  const Meta &gy = in[0], &x = in[1];
  check_x(x);
  check(gy.shape == x.shape && gy.dtype == x.dtype, ErrorKind::Shape,
        "batch_norm_grad: expected a gradient like x, ", x.dtype, x.shape, ", got ", gy.dtype,
        gy.shape);
  const std::array<std::string_view, 3> names{"weight", "mean", "invstd"};
  for (size_t i = 0; i < names.size(); ++i) check_channels(names[i], in[i + 2], x);
  check_dense(name, in.first(2));
  const Meta w(in[2].shape, in[2].dtype);
  return {Meta(x.shape, x.dtype), w, w};
}

namespace {

// With h = (x - mean) * invstd and means over the batch:
//   gx = invstd * (g - mean(g) - h * mean(g * h)) for g = gy * weight,
//   gweight = sum(gy * h), gbias = sum(gy).
// Plain ops, statistics computed anew: differentiable again, and the oracle of BatchNormGrad.
Tensors plain_batch_norm_grad(const Tensor& gy, const Tensor& x, const Tensor& weight, double eps) {
  const Dims dims = batch_dims(x);
  const Tensor centred = x - mean(x, dims, true);
  const Tensor invstd = pow(mean(centred * centred, dims, true) + eps, -0.5);
  const Tensor h = centred * invstd;
  const Tensor g = gy * beside(weight, x.shape());
  const Tensor gx = invstd * (g - mean(g, dims, true) - h * mean(g * h, dims, true));
  return {gx, sum(gy * h, dims), sum(gy, dims)};
}

}  // namespace

Tensors BatchNorm::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &x = v.in[0], &weight = v.in[1];
  if (!gy.defined()) return Tensors(v.in.size());
  Tensors g;
  if (grad_enabled()) {
    g = plain_batch_norm_grad(wide(gy), wide(x), wide(weight), eps);
    g = {g[0].to(x.dtype()), g[1].to(weight.dtype()), g[2].to(weight.dtype())};
  } else {
    const std::array<Tensor, 5> in{detail::dense(gy, x.meta().memory_format()), x, weight, v.out[1],
                                   v.out[2]};
    g = dispatch(Model(BatchNormGrad{}), in);
  }
  while (g.size() < v.in.size()) g.push_back(Tensor());  // running statistics have none
  return g;
}

// ---- public functions
// --------------------------------------------------------------------------------

namespace {

Tensor or_filled(const Tensor& given, double value, const Tensor& x) {
  if (given.defined()) return given;
  return full({x.size(1)}, value, {.dtype = x.dtype(), .device = x.device()});
}

Tensor batch_norm_training(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           const Tensor& running_mean, const Tensor& running_var,
                           const Tensor& count, const BatchNormOptions& o) {
  const std::array<Tensor, 6> in{
      detail::dense(x, x.meta().memory_format()),
      or_filled(weight, 1, x),
      or_filled(bias, 0, x),
      or_filled(running_mean, 0, x),
      or_filled(running_var, 1, x),
      count.defined() ? count : zeros({}, {.dtype = int64, .device = x.device()})};
  return dispatch(Model(BatchNorm{o.momentum.value_or(-1), o.eps}), in).front();
}

Tensor batch_norm_eval(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       const Tensor& running_mean, const Tensor& running_var, double eps) {
  check(running_mean.defined() && running_var.defined(), ErrorKind::Value,
        "batch_norm: expected running_mean and running_var outside of training, got none");
  check_x(x.meta());
  check_channels("running_mean", running_mean.meta(), x.meta());
  check_channels("running_var", running_var.meta(), x.meta());
  if (weight.defined()) check_channels("weight", weight.meta(), x.meta());
  if (bias.defined()) check_channels("bias", bias.meta(), x.meta());
  Tensor scale = pow(wide(running_var) + eps, -0.5);
  if (weight.defined()) scale = scale * weight;
  Tensor shift = -running_mean * scale;
  if (bias.defined()) shift = shift + bias;
  const Tensor y = wide(x) * beside(scale, x.shape()) + beside(shift, x.shape());
  return y.to(x.dtype());
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, const BatchNormOptions& options,
                  const Tensor& num_batches_tracked) {
  const double momentum = options.momentum.value_or(0);
  check(momentum >= 0 && momentum <= 1, ErrorKind::Value,
        "batch_norm: expected a momentum in [0, 1], got ", momentum);
  return composite(
      "batch_norm",
      [options](const Tensor& a, const Tensor& mean, const Tensor& var, const Tensor& w,
                const Tensor& b, const Tensor& count) {
        return options.training ? batch_norm_training(a, w, b, mean, var, count, options)
                                : batch_norm_eval(a, w, b, mean, var, options.eps);
      },
      x, running_mean, running_var, weight, bias, num_batches_tracked);
}

}  // namespace reprise
