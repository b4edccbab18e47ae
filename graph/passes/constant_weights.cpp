// What can be done to weights ahead of time, when nothing in the graph changes them: the calls
// added here depend on captures alone, so hoist takes them into the prologue.

#include <algorithm>
#include <array>
#include <optional>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/matmul.h"
#include "../../core/ops/view.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

/// The constants [C], one for each channel, that an operand repeats along all but dimension 1.
std::optional<ValueId> per_channel(Rewriter& r, ValueId operand) {
  const Call* expand = r.made_by<Expand>(operand);
  if (expand == nullptr || !r.constant(operand)) return {};
  const Shape full = r.meta(operand).shape;
  const Meta source = r.meta(expand->in[0]);
  const int lead = full.dim() - source.dim();
  if (full.dim() < 2 || lead > 1 || source.numel() != full[1]) return {};
  if (source.shape[static_cast<size_t>(1 - lead)] != full[1]) return {};
  if (source.dim() == 1) return expand->in[0];
  const Call* view = r.made_by<ViewAs>(expand->in[0]);
  if (view != nullptr && r.meta(view->in[0]).shape == Shape{full[1]}) return view->in[0];
  if (!view_strides(source, {full[1]})) return {};
  return r.add(ViewAs{{full[1]}}, {expand->in[0]});
}

/// The layer with constant weights that makes a value which the visited call alone reads.
const Call* layer_of(const Rewriter& r, ValueId id) {
  const Call* conv = r.read_only_here<Conv2d>(id);
  const Call* layer = conv != nullptr ? conv : r.read_only_here<Linear>(id);
  const auto is_constant = [&](ValueId parameter) { return r.constant(parameter); };
  const bool fixed =
      layer != nullptr && std::all_of(layer->in.begin() + 1, layer->in.end(), is_constant);
  return fixed ? layer : nullptr;
}

/// weight * scale along its first dimension.
ValueId scaled(Rewriter& r, ValueId weight, ValueId scale) {
  const Shape shape = r.meta(weight).shape;
  Shape beside = Shape::filled(shape.dim(), 1);
  beside[0] = shape[0];
  const ValueId spread = r.add(Expand{shape}, {r.add(ViewAs{beside}, {scale})});
  return r.add(Mul{}, {weight, spread});
}

/// layer(x; w, b) * scale = layer(x; w * scale, b * scale)
bool fold_scale(Rewriter& r, const Call& call) {
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const Call* layer = layer_of(r, call.in[side]);
    if (layer == nullptr) continue;
    const std::optional<ValueId> scale = per_channel(r, call.in[1 - side]);
    if (!scale) continue;
    ValueIds in = layer->in;
    for (size_t i = 1; i < in.size(); ++i) in[i] = scaled(r, in[i], *scale);
    if (r.replace(call, *layer->op, in)) return true;
  }
  return false;
}

/// layer(x; w, b) + shift = layer(x; w, b + shift)
bool fold_shift(Rewriter& r, const Call& call) {
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const Call* layer = layer_of(r, call.in[side]);
    if (layer == nullptr) continue;
    const std::optional<ValueId> shift = per_channel(r, call.in[1 - side]);
    if (!shift) continue;
    ValueIds in = layer->in;
    const DType dtype = r.meta(*shift).dtype;
    const bool dense = r.meta(*shift).is_contiguous();
    if (in.size() == 2)
      in.push_back(dense ? *shift : r.add(Copy{dtype}, {*shift}));
    else
      in[2] = r.add(Add{}, {in[2], *shift});
    if (r.replace(call, *layer->op, in)) return true;
  }
  return false;
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
  static constexpr std::array kRules{
      Rule{"channel_scale", Mul::name, fold_scale},
      Rule{"channel_shift", Add::name, fold_shift},
  };
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
