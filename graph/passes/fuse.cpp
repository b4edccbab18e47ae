// Patterns of calls that one kernel does in one pass over memory.

#include <array>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/fused_loss.h"
#include "../../core/ops/fused_norm.h"
#include "../../core/ops/index.h"
#include "../../core/ops/pool.h"
#include "../../core/ops/softmax.h"
#include "../../core/ops/view.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

Activation activation_of(const OpBase& op) {
  for (const Activation a : {Activation::relu, Activation::tanh, Activation::sigmoid,
                             Activation::gelu, Activation::gelu_tanh}) {
    if (op.name() == to_string(a)) return a;
  }
  return Activation::none;
}

/// 16-bit values are rounded between two ops, which a fused kernel would not do. Behind a ReLU, and
/// where values are only moved or masked, it makes no difference.
bool rounds(const Rewriter& r, const Call& call) { return is_half(r.meta(call.out[0]).dtype); }

/// Whether T would leave out such a rounding: where its kernel takes 16 bits, it knows better.
template <Op T>
bool misses_rounding(const Rewriter& r, const Call& call) {
  const Device device = r.meta(call.out[0]).device;
  return rounds(r, call) && !reprise::detail::traits_of<T>.takes_half(device.kind);
}

/// The convolution, plain or fused so far, that makes a value which only one call reads.
std::optional<FusedConv2d> convolution(const Rewriter& r, ValueId id, ValueIds& in) {
  if (r.reads(id) != 1 || r.maker(id) == nullptr) return {};
  const Call& call = *r.maker(id);
  in = call.in;
  if (const auto* fused = as<FusedConv2d>(*call.op)) return *fused;
  const auto* plain = as<Conv2d>(*call.op);
  if (plain == nullptr) return {};
  FusedConv2d out;
  static_cast<ConvAttributes&>(out) = *plain;
  out.bias = in.size() == 3;
  return out;
}

/// The values [C], one for each channel, that an operand [N, C, H, W] repeats.
std::optional<ValueId> per_channel(Rewriter& r, ValueId operand) {
  const Call* expand = r.made_by<Expand>(operand);
  if (expand == nullptr) return {};
  const Shape channels{r.meta(operand).shape[1]};
  const Meta& beside = r.meta(expand->in[0]);
  if (beside.numel() != channels[0] || beside.dim() < 3 || !beside.is_contiguous() ||
      beside.shape[static_cast<size_t>(beside.dim()) - 3] != channels[0]) {
    return {};
  }
  const Call* view = r.made_by<ViewAs>(expand->in[0]);
  const bool was_flat = view != nullptr && r.meta(view->in[0]).shape == channels;
  return was_flat ? view->in[0] : r.add(ViewAs{channels}, {expand->in[0]});
}

/// conv(x) * scale + shift, as batch normalisation in eval mode computes it.
bool conv_batch_norm(Rewriter& r, const Call& call) {
  const Call* product = r.read_only_here<Mul>(call.in[0]);
  if (product == nullptr || misses_rounding<FusedConv2d>(r, call)) return false;
  ValueIds in;
  auto conv = convolution(r, product->in[0], in);
  if (!conv || conv->scaled || conv->residual || conv->activation != Activation::none) return false;
  const auto scale = per_channel(r, product->in[1]), shift = per_channel(r, call.in[1]);
  if (!scale || !shift) return false;
  conv->scaled = true;
  in.push_back(*scale);
  in.push_back(*shift);
  return r.replace(call, *conv, in);
}

/// conv(x) + residual, in either order.
bool conv_add(Rewriter& r, const Call& call) {
  if (misses_rounding<FusedConv2d>(r, call)) return false;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    ValueIds in;
    auto conv = convolution(r, call.in[side], in);
    const ValueId residual = call.in[1 - side];
    if (!conv || conv->residual || conv->activation != Activation::none ||
        !same_layout(r.meta(residual), r.meta(call.out[0])) || residual == call.in[side]) {
      continue;
    }
    conv->residual = true;
    in.push_back(residual);
    if (r.replace(call, *conv, in)) return true;
  }
  return false;
}

/// relu(conv(x)), relu(conv(x) + residual)
bool conv_activation(Rewriter& r, const Call& call) {
  ValueIds in;
  auto conv = convolution(r, call.in[0], in);
  if (!conv || conv->activation != Activation::none) return false;
  conv->activation = activation_of(*call.op);
  if (conv->activation != Activation::relu && misses_rounding<FusedConv2d>(r, call)) return false;
  return r.replace(call, *conv, in);
}

/// Whether y is a ReLU of batch normalisation alone, whose gradient finds the mask in passing.
bool masks_own_gradient(const Rewriter& r, ValueId y) {
  const Call* norm = r.made_by<FusedBatchNorm>(y);
  return norm != nullptr && !as<FusedBatchNorm>(*norm->op)->residual;
}

/// relu_grad(conv2d_input_grad(gy, w), y): where y is needed no more, its memory serves the result.
bool conv_input_grad_relu(Rewriter& r, const Call& call) {
  const Call* grad = r.read_only_here<Conv2dInputGrad>(call.in[0]);
  if (grad == nullptr || !same_layout(r.meta(call.in[1]), r.meta(call.out[0]))) return false;
  if (masks_own_gradient(r, call.in[1])) return false;
  const Conv2dInputGrad& op = *as<Conv2dInputGrad>(*grad->op);
  return r.replace(call, FusedConv2dInputGrad{op, op.size}, {grad->in[0], grad->in[1], call.in[1]});
}

bool linear_activation(Rewriter& r, const Call& call) {
  const Call* linear = r.read_only_here<Linear>(call.in[0]);
  if (as<Relu>(*call.op) == nullptr && rounds(r, call)) return false;
  return linear != nullptr && linear->in.size() == 3 &&
         r.replace(call, FusedLinear{activation_of(*call.op)}, linear->in);
}

/// The gradient of an activation for matmul(gy, w): what comes back through the linear layer that
/// follows it.
template <Activation A>
bool linear_input_grad(Rewriter& r, const Call& call) {
  const Call* product = r.read_only_here<MatMul>(call.in[0]);
  if (product == nullptr || r.meta(call.out[0]).dim() != 2) return false;
  const bool saved = same_layout(r.meta(call.in[1]), r.meta(call.out[0]));
  if (!saved || (A != Activation::relu && rounds(r, call))) return false;
  return r.replace(call, FusedLinearInputGrad{A}, {product->in[0], product->in[1], call.in[1]});
}

/// What LogSoftmax's vjp makes of the gradient of gather: g at the index, less exp(y) * g.
bool log_softmax_gather(Rewriter& r, const Call& call) {
  const SoftmaxGrad& op = *as<SoftmaxGrad>(*call.op);
  const Call* placed = r.made_by<GatherGrad>(call.in[1]);
  if (!op.log || placed == nullptr || as<GatherGrad>(*placed->op)->dim != op.dim) return false;
  Shape one_each = r.meta(call.in[0]).shape;
  one_each[static_cast<size_t>(op.dim)] = 1;
  return r.meta(placed->in[0]).shape == one_each &&
         r.replace(call, LogSoftmaxGatherGrad{op.dim}, {call.in[0], placed->in[1], placed->in[0]});
}

/// Only where the largest value was positive does its window get a gradient: the small result of
/// the pooling tells as much as its large input, which need not be kept for this.
bool mask_before_pool_grad(Rewriter& r, const Call& call) {
  const Call* grad = r.read_only_here<MaxPool2dGrad>(call.in[0]);
  const Call* pool = grad == nullptr ? nullptr : r.made_by<MaxPool2d>(grad->in[1]);
  if (pool == nullptr || pool->in[0] != call.in[1] || pool->out[1] != grad->in[1]) return false;
  const MaxPool2dGrad op = *as<MaxPool2dGrad>(*grad->op);
  const ValueId g = grad->in[0], indices = grad->in[1], y = pool->out[0];
  if (!r.readable(g) || !r.readable(y) || masks_own_gradient(r, call.in[1])) return false;
  return r.replace(call, op, {r.add(ReluGrad{}, {g, y}), indices});
}

/// The batch normalisation in training, plain or fused so far, that makes a value.
std::optional<FusedBatchNorm> batch_norm(const Rewriter& r, ValueId id) {
  const Call* call = r.maker(id);
  if (call == nullptr || call->out[0] != id) return {};
  if (const auto* fused = as<FusedBatchNorm>(*call->op)) return *fused;
  const auto* plain = as<BatchNorm>(*call->op);
  return plain == nullptr ? std::nullopt
                          : std::optional(FusedBatchNorm{plain->momentum, plain->eps});
}

/// batch_norm(x) + residual, in either order, where the residual is made first.
bool batch_norm_add(Rewriter& r, const Call& call) {
  if (misses_rounding<FusedBatchNorm>(r, call)) return false;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    auto norm = batch_norm(r, call.in[side]);
    if (!norm || norm->residual || norm->relu) continue;
    norm->residual = true;
    if (r.extend(call, call.in[side], *norm, {call.in[1 - side]})) return true;
  }
  return false;
}

/// relu(batch_norm(x)), relu(batch_norm(x) + residual)
bool batch_norm_relu(Rewriter& r, const Call& call) {
  auto norm = batch_norm(r, call.in[0]);
  if (!norm || norm->relu || misses_rounding<FusedBatchNorm>(r, call)) return false;
  norm->relu = true;
  return r.extend(call, call.in[0], *norm, {});
}

/// The gradient of relu(batch_norm(x)): y needs not be read again. `g`: of batch_norm(x).
bool relu_batch_norm_grad(Rewriter& r, const Call& call, const Call& g) {
  const Call* norm = r.made_by<FusedBatchNorm>(g.in[1]);
  if (norm == nullptr || !masks_own_gradient(r, g.in[1])) return false;
  const ValueIds forward{norm->in[0], norm->in[1], norm->out[1], norm->out[2]};
  const bool is_same = norm->out[0] == g.in[1] && as<FusedBatchNorm>(*norm->op)->relu &&
                       std::ranges::equal(forward, std::span(call.in).subspan(1));
  return is_same && r.reads(call.in[0]) == 1 &&
         r.replace(call, FusedBatchNormGrad{false},
                   {g.in[0], call.in[1], call.in[2], call.in[3], call.in[4], norm->in[2]});
}

/// The gradient of relu(batch_norm(x) + residual), of which the residual needs a part too.
bool batch_norm_grad(Rewriter& r, const Call& call) {
  const Call* g = r.made_by<ReluGrad>(call.in[0]);
  if (g == nullptr || misses_rounding<FusedBatchNormGrad>(r, call)) return false;
  if (relu_batch_norm_grad(r, call, *g)) return true;
  ValueIds in = call.in;
  in[0] = g->in[0];
  in.push_back(g->in[1]);
  if (const Call* sum = r.read_only_here<Add>(g->in[0])) {
    in[0] = sum->in[0];
    in.push_back(sum->in[1]);
  }
  return r.replace(call, FusedBatchNormGrad{true}, in, std::span(&call.in[0], 1));
}

}  // namespace

Graph fuse(Graph graph) {
  graph = keep_linear(std::move(graph));
  static constexpr std::array kRules{
      Rule{"conv_batch_norm", Add::name, conv_batch_norm},
      Rule{"conv_add", Add::name, conv_add},
      Rule{"batch_norm_add", Add::name, batch_norm_add},
      Rule{"batch_norm_relu", Relu::name, batch_norm_relu},
      Rule{"batch_norm_grad", BatchNormGrad::name, batch_norm_grad},
      Rule{"conv_relu", Relu::name, conv_activation},
      Rule{"conv_tanh", Tanh::name, conv_activation},
      Rule{"conv_sigmoid", Sigmoid::name, conv_activation},
      Rule{"conv_gelu", Gelu::name, conv_activation},
      Rule{"conv_gelu_tanh", GeluTanh::name, conv_activation},
      Rule{"conv_input_grad_relu", ReluGrad::name, conv_input_grad_relu},
      Rule{"linear_relu", Relu::name, linear_activation},
      Rule{"linear_tanh", Tanh::name, linear_activation},
      Rule{"linear_sigmoid", Sigmoid::name, linear_activation},
      Rule{"linear_gelu", Gelu::name, linear_activation},
      Rule{"linear_gelu_tanh", GeluTanh::name, linear_activation},
      Rule{"linear_input_grad_relu", ReluGrad::name, linear_input_grad<Activation::relu>},
      Rule{"linear_input_grad_gelu", GeluGrad::name, linear_input_grad<Activation::gelu>},
      Rule{"linear_input_grad_gelu_tanh", GeluTanhGrad::name,
           linear_input_grad<Activation::gelu_tanh>},
      Rule{"log_softmax_gather_grad", SoftmaxGrad::name, log_softmax_gather},
      Rule{"mask_before_pool_grad", ReluGrad::name, mask_before_pool_grad},
  };
  return rewrite(std::move(graph), kRules);
}

}  // namespace reprise::passes
