// What is known ahead of all runs goes into the weights: batch norm in eval mode is a scale and a
// shift of each channel, and a weight can be packed in the order in which the kernel reads it. The
// work on the weights is left to the prologue (hoist).

#include <algorithm>
#include <optional>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/matmul.h"
#include "../../core/ops/view.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

/// Walks over the calls with a rule that asks which of the values are constant; those that it makes
/// of constants are.
template <class Visit>
Graph visit_with_constants(Graph graph, Visit visit) {
  std::vector<bool> constant = constant_values(graph);
  Rewriter r(std::move(graph));
  const auto is_constant = [&](ValueId id) { return constant[static_cast<size_t>(id)]; };
  while (const Call* call = r.next()) {
    if (!is_pure(*call)) continue;
    visit(r, *call, is_constant);
    for (size_t id = constant.size(); id < r.value_count(); ++id) {
      const Call* made = r.maker(static_cast<ValueId>(id));
      constant.push_back(made != nullptr && std::ranges::all_of(made->in, is_constant));
    }
  }
  return r.finish();
}

/// The values, one for each channel, along dimension 1 of what an operand repeats: [C].
std::optional<ValueId> per_channel(Rewriter& r, ValueId operand) {
  const Call* expand = r.made_by<Expand>(operand);
  if (expand == nullptr) return {};
  const Shape& full = r.meta(operand).shape;
  const Meta& source = r.meta(expand->in[0]);
  const int lead = full.dim() - source.dim();
  if (full.dim() < 2 || lead > 1 || source.numel() != full[1]) return {};
  if (source.shape[static_cast<size_t>(1 - lead)] != full[1]) return {};
  if (source.dim() == 1) return expand->in[0];
  if (!view_strides(source, {full[1]})) return {};
  return r.add(ViewAs{{full[1]}}, {expand->in[0]});
}

/// weight * scale along its first dimension.
ValueId scaled(Rewriter& r, ValueId weight, ValueId scale) {
  const Shape shape = r.meta(weight).shape;
  Shape beside = Shape::filled(shape.dim(), 1);
  beside[0] = shape[0];
  const ValueId spread = r.add(Expand{shape}, {r.add(ViewAs{beside}, {scale})});
  return r.add(Mul{}, {weight, spread});
}

/// layer(x) * scale or layer(x) + shift, into the weight and bias of a convolution or linear layer.
class ChannelFold {
 public:
  ChannelFold(Rewriter& r, const Call& call) : r_(r), call_(call) {}

  template <class IsConstant>
  bool try_fold(const IsConstant& is_constant) {
    const bool scales = call_.op->name() == Mul::name;
    if (!scales && call_.op->name() != Add::name) return false;
    for (size_t i = 0; i < 2; ++i) {
      const Call* layer = layer_of(call_.in[i]);
      if (layer == nullptr || !is_constant(call_.in[1 - i])) continue;
      if (!std::all_of(layer->in.begin() + 1, layer->in.end(), is_constant)) continue;
      if (fold(*layer, call_.in[1 - i], scales)) return true;
    }
    return false;
  }

 private:
  const Call* layer_of(ValueId id) const {
    const Call* conv = r_.read_only_here<Conv2d>(id);
    return conv != nullptr ? conv : r_.read_only_here<Linear>(id);
  }

  bool fold(const Call& layer, ValueId operand, bool scales) {
    const std::optional<ValueId> channel = per_channel(r_, operand);
    if (!channel) return false;
    ValueIds in = layer.in;
    if (scales) in[1] = scaled(r_, in[1], *channel);
    if (in.size() == 3) {
      in[2] = scales ? r_.add(Mul{}, {in[2], *channel}) : r_.add(Add{}, {in[2], *channel});
    } else if (!scales) {
      in.push_back(*channel);
    }
    return r_.replace(call_, *layer.op, in);
  }

  Rewriter& r_;
  const Call& call_;
};

}  // namespace

Graph fold_batch_norm(Graph graph) {
  return visit_with_constants(std::move(graph),
                              [](Rewriter& r, const Call& call, const auto& is_constant) {
                                ChannelFold(r, call).try_fold(is_constant);
                              });
}

Graph pack_weights(Graph graph) {
  return visit_with_constants(
      std::move(graph), [](Rewriter& r, const Call& call, const auto& is_constant) {
        const auto* plain = as<Conv2d>(*call.op);
        const auto* fused = as<FusedConv2d>(*call.op);
        if ((plain == nullptr && fused == nullptr) || !is_constant(call.in[1])) return;
        FusedConv2d op = fused != nullptr ? *fused : FusedConv2d{*plain, call.in.size() == 3};
        if (op.packed) return;
        const Shape &x = r.meta(call.in[0]).shape, &weight = r.meta(call.in[1]).shape;
        op.packed = true;
        op.weight_shape = weight;
        ValueIds in = call.in;
        in[1] = r.add(PackConvWeight{op, Pair(x[2], x[3])}, {in[1]});
        r.replace(call, op, in);
      });
}

}  // namespace reprise::passes
