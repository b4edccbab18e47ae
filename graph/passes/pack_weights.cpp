// Weights that nothing in the graph changes, brought into the order of the kernel: the calls added
// here depend on captures alone, so hoist takes them into the prologue. Kernels on a GPU read
// weights as they are.

#include <array>

#include "../../core/ops/fused_conv.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

bool pack(Rewriter& r, const Call& call, FusedConv2d conv) {
  const ValueId weight = call.in[1];
  const Meta& meta = r.meta(weight);
  const bool packs = meta.device.kind == Device::Kind::cpu && !is_half(meta.dtype);
  if (conv.packed || !packs || !r.constant(weight)) return false;
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

Graph pack_weights(Graph graph) {
  static constexpr std::array kRules{
      Rule{"conv", Conv2d::name, pack_conv},
      Rule{"fused_conv", FusedConv2d::name, pack_fused_conv},
  };
  return rewrite(std::move(graph), kRules);
}

}  // namespace reprise::passes
