#include <array>
#include <optional>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/fused_loss.h"
#include "../../core/ops/index.h"
#include "../../core/ops/reduce.h"
#include "../../core/ops/view.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

// ---- convolutions
// --------------------------------------------------------------------------------------

/// A convolution that the visited call alone reads and whose result it may still change: the call
/// and its op, to which more can be added.
struct OpenConv {
  const Call* call;
  FusedConv2d op;
};

std::optional<OpenConv> open_conv(const Rewriter& r, ValueId id) {
  if (const Call* conv = r.read_only_here<Conv2d>(id)) {
    return OpenConv{conv, {*as<Conv2d>(*conv->op), conv->in.size() == 3}};
  }
  const Call* fused = r.read_only_here<FusedConv2d>(id);
  if (fused == nullptr) return {};
  const FusedConv2d& op = *as<FusedConv2d>(*fused->op);
  return op.activation == Activation::none ? std::optional(OpenConv{fused, op}) : std::nullopt;
}

template <Activation activation>
bool conv_activation(Rewriter& r, const Call& call) {
  std::optional<OpenConv> conv = open_conv(r, call.in[0]);
  if (!conv) return false;
  conv->op.activation = activation;
  return r.replace(call, conv->op, conv->call->in);
}

bool conv_plus(Rewriter& r, const Call& call, ValueId result, ValueId residual) {
  std::optional<OpenConv> conv = open_conv(r, result);
  if (!conv || conv->op.residual || !r.meta(residual).is_contiguous()) return false;
  conv->op.residual = true;
  ValueIds in = conv->call->in;
  in.push_back(residual);
  return r.replace(call, conv->op, in);
}

bool conv_residual(Rewriter& r, const Call& call) {
  return conv_plus(r, call, call.in[0], call.in[1]) || conv_plus(r, call, call.in[1], call.in[0]);
}

// ---- linear layers
// -------------------------------------------------------------------------------------

template <Activation activation>
bool linear_activation(Rewriter& r, const Call& call) {
  const Call* linear = r.read_only_here<Linear>(call.in[0]);
  return linear != nullptr && linear->in.size() == 3 &&
         r.replace(call, FusedLinear{activation}, linear->in);
}

// ---- losses
// --------------------------------------------------------------------------------------------

/// What the tape makes of log_softmax and gather: g - exp(y) * sum(g, dim) of g = gather_grad(gy).
bool log_softmax_gather_grad(Rewriter& r, const Call& call) {
  const Call* gather = r.made_by<GatherGrad>(call.in[0]);
  const Call* product = r.made_by<Mul>(call.in[1]);
  if (gather == nullptr || product == nullptr) return false;
  const Call* exp = r.made_by<Exp>(product->in[0]);
  const Call* expand = r.made_by<Expand>(product->in[1]);
  const Call* sum = expand == nullptr ? nullptr : r.made_by<Sum>(expand->in[0]);
  if (exp == nullptr || sum == nullptr || sum->in[0] != call.in[0]) return false;
  const int dim = as<GatherGrad>(*gather->op)->dim;
  const Meta& index = r.meta(gather->in[1]);
  Shape one = r.meta(call.out[0]).shape;
  one[static_cast<size_t>(dim)] = 1;
  const Sum& total = *as<Sum>(*sum->op);
  return total.dims == Shape{dim} && total.keepdim && index.shape == one &&
         r.replace(call, LogSoftmaxGatherGrad{dim}, {exp->in[0], gather->in[1], gather->in[0]});
}

constexpr std::array kConvRules{
    Rule{"conv_residual", Add::name, conv_residual},
    Rule{"conv_relu", Relu::name, conv_activation<Activation::relu>},
    Rule{"conv_tanh", Tanh::name, conv_activation<Activation::tanh>},
    Rule{"conv_sigmoid", Sigmoid::name, conv_activation<Activation::sigmoid>},
};

constexpr std::array kLinearRules{
    Rule{"linear_relu", Relu::name, linear_activation<Activation::relu>},
    Rule{"linear_tanh", Tanh::name, linear_activation<Activation::tanh>},
    Rule{"linear_sigmoid", Sigmoid::name, linear_activation<Activation::sigmoid>},
};

constexpr std::array kLossRules{
    Rule{"log_softmax_gather_grad", Sub::name, log_softmax_gather_grad},
};

}  // namespace

Graph fuse_conv(Graph graph) { return rewrite(std::move(graph), kConvRules); }
Graph fuse_linear(Graph graph) { return rewrite(std::move(graph), kLinearRules); }
Graph fuse_loss(Graph graph) { return rewrite(std::move(graph), kLossRules); }

}  // namespace reprise::passes
