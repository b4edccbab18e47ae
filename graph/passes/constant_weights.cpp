// What can be done to weights ahead of time, when nothing in the graph changes them: the calls
// added here depend on captures alone, so hoist takes them into the prologue.

#include <array>

#include "../../core/ops/fused_conv.h"
#include "../../core/ops/view.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

/// The constant [1, C, 1, 1] that stands expanded in `id`, or none.
ValueId per_channel(const Rewriter& r, ValueId id) {
  const Call* expand = r.made_by<Expand>(id);
  if (expand == nullptr) return kNoValue;
  const ValueId small = expand->in[0];
  const Shape& shape = r.meta(small).shape;
  const bool fits = shape.dim() == 4 && shape[0] == 1 && shape[2] == 1 && shape[3] == 1;
  return fits && r.constant(small) ? small : kNoValue;
}

ValueId reshaped(Rewriter& r, ValueId id, const Shape& shape) { return r.add(ViewAs{shape}, {id}); }

ValueId times(Rewriter& r, ValueId a, ValueId b) {
  return r.add(Mul{}, {a, r.add(Expand{r.meta(a).shape}, {b})});
}

/// conv(x, w, b) * scale + shift = conv(x, w * scale, b * scale + shift), as batch norm in eval.
bool fold_scale(Rewriter& r, const Call& call) {
  const Call* product = r.read_only_here<Mul>(call.in[0]);
  if (product == nullptr) return false;
  const Call* conv = r.read_only_here<Conv2d>(product->in[0]);
  const ValueId scale = per_channel(r, product->in[1]), shift = per_channel(r, call.in[1]);
  if (conv == nullptr || scale == kNoValue || shift == kNoValue) return false;
  const std::span<const ValueId> in = conv->in;
  for (ValueId parameter : in.subspan(1)) {
    if (!r.constant(parameter)) return false;
  }
  const int64_t channels = r.meta(in[1]).shape[0];
  const Conv2d op = *as<Conv2d>(*conv->op);
  const ValueId x = in[0], w = in[1], b = in.size() == 3 ? in[2] : kNoValue;
  const ValueId weight = times(r, w, reshaped(r, scale, {channels, 1, 1, 1}));
  ValueId bias = reshaped(r, shift, {channels});
  if (b != kNoValue) {
    bias = r.add(Add{}, {r.add(Mul{}, {b, reshaped(r, scale, {channels})}), bias});
  }
  return r.replace(call, op, {x, weight, bias});
}

bool pack(Rewriter& r, const Call& call, FusedConv2d conv) {
  const ValueId weight = call.in[1];
  if (conv.packed || !r.constant(weight)) return false;
  const Shape& x = r.meta(call.in[0]).shape;
  conv.packed = true;
  conv.weight_shape = r.meta(weight).shape;
  ValueIds in = call.in;
  in[1] = r.add(PackConvWeight{conv, {x[2], x[3]}}, {weight});
  return r.replace(call, conv, in);
}

bool pack_conv(Rewriter& r, const Call& call) {
  FusedConv2d conv;
  static_cast<ConvAttributes&>(conv) = *as<Conv2d>(*call.op);
  conv.bias = call.in.size() == 3;
  return pack(r, call, conv);
}

bool pack_fused_conv(Rewriter& r, const Call& call) {
  return pack(r, call, *as<FusedConv2d>(*call.op));
}

}  // namespace

Graph fold_batch_norm(Graph graph) {
  static constexpr std::array kRules{Rule{"conv_scale_shift", Add::name, fold_scale}};
  return rewrite(std::move(graph), kRules);
}

Graph pack_weights(Graph graph) {
  static constexpr std::array kRules{
      Rule{"conv", Conv2d::name, pack_conv},
      Rule{"fused_conv", FusedConv2d::name, pack_fused_conv},
  };
  return rewrite(std::move(graph), kRules);
}

}  // namespace reprise::passes
