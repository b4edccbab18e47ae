// Losses, composed of plain ops.

#include "../dispatch.h"
#include "../index_error.h"
#include "../ops.h"
#include "fused_loss.h"

namespace reprise {
namespace {

Tensor reduce(const Tensor& loss, Reduction reduction) {
  if (reduction == Reduction::none) return loss;
  return reduction == Reduction::sum ? sum(loss) : mean(loss);
}

void check_target(const Tensor& x, const Tensor& target, int64_t ignore_index) {
  check(x.dim() >= 2, ErrorKind::Shape,
        "cross_entropy: expected logits [N, C] or [N, C, ...], got ", x.shape());
  check(target.dtype() == int64, ErrorKind::DType,
        "cross_entropy: expected a target of int64 class indices, got ", target.dtype());
  Shape expected = x.shape();
  expected.erase(1);
  check(target.shape() == expected, ErrorKind::Shape, "cross_entropy: expected a target of shape ",
        expected, " for logits ", x.shape(), ", got ", target.shape());
  if (!target.has_data() || target.is_traced() || target.device().kind != Device::Kind::cpu) return;
  const int64_t classes = x.size(1);
  const Tensor dense = target.contiguous();
  const int64_t* index = dense.data<int64_t>();
  for (int64_t i = 0; i < dense.numel(); ++i) {
    const bool is_class = index[i] >= 0 && index[i] < classes;
    if (!is_class && index[i] != ignore_index) detail::fail_class(classes, index[i], i);
  }
}

void check_weight(const Tensor& x, const Tensor& weight) {
  check(weight.shape() == Shape{x.size(1)}, ErrorKind::Shape,
        "cross_entropy: expected a weight of shape [", x.size(1), "], got ", weight.shape());
  check(weight.dtype() == x.dtype(), ErrorKind::DType, "cross_entropy: expected a weight of ",
        x.dtype(), ", got ", weight.dtype());
}

/// The weight of each class at the places of `index`.
Tensor weight_of(const Tensor& weight, const Tensor& index) {
  return reshape(gather(weight, 0, flatten(index)), index.shape());
}

/// With lp = log_softmax(x), w the weights of the targets (0 where ignored):
/// sum((1 - s) w nll + s / C sum_c weight_c (-lp_c)) / sum(w), as PyTorch defines it.
Tensor cross_entropy_of(const Tensor& x, const Tensor& target, const Tensor& weight,
                        const CrossEntropyOptions& o) {
  check_target(x, target, o.ignore_index);
  if (weight.defined()) check_weight(x, weight);
  const bool smooths = o.label_smoothing > 0;  // else log probabilities of targets are all it takes
  const Tensor lp = smooths ? log_softmax(x, 1) : Tensor();
  const Tensor valid = target != o.ignore_index;
  const Tensor safe = where(valid, target, 0);
  const Tensor at = unsqueeze(safe, 1);
  // Where only kernels look at the target, that of gather would not say what it is.
  const bool gathers = smooths && x.device().kind != Device::Kind::cuda;
  const Tensor picked = squeeze(gathers ? gather(lp, 1, at) : apply(LogSoftmaxGather{1}, x, at), 1);
  Tensor w = valid.to(x.dtype());
  if (weight.defined()) w = w * weight_of(weight, safe);
  Tensor loss = where(valid, -picked * w, 0);  // what is ignored may be infinite
  if (smooths) {
    Shape per_class = Shape::filled(x.dim(), 1);
    per_class[1] = x.size(1);
    const Tensor all = weight.defined() ? lp * reshape(weight, per_class) : lp;
    const Tensor smooth = where(valid, -sum(all, 1), 0);
    const double s = o.label_smoothing;
    loss = loss * (1 - s) + smooth * (s / static_cast<double>(x.size(1)));
  }
  if (o.reduction != Reduction::mean) return reduce(loss, o.reduction);
  const DType wide = is_half(x.dtype()) ? float32 : x.dtype();  // either sum may overflow 16 bits
  return (sum(loss.to(wide)) / sum(w.to(wide))).to(x.dtype());
}

}  // namespace

Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  check(options.label_smoothing >= 0 && options.label_smoothing <= 1, ErrorKind::Value,
        "cross_entropy: expected label_smoothing in [0, 1], got ", options.label_smoothing);
  return composite(
      "cross_entropy",
      [options](const Tensor& a, const Tensor& t, const Tensor& w) {
        return cross_entropy_of(a, t, w, options);
      },
      x, target, options.weight);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return composite(
      "mse_loss",
      [reduction](const Tensor& a, const Tensor& b) {
        const Tensor difference = a - b;
        return reduce(difference * difference, reduction);
      },
      x, target);
}

}  // namespace reprise
