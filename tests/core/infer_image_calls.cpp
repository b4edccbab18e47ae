// The calls of infer_calls.h for convolutions, pools and norms.

#include "../../core/ops/conv.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/fused_norm.h"
#include "../../core/ops/fused_pool.h"
#include "../../core/ops/norm.h"
#include "../../core/ops/pool.h"
#include "infer_calls.h"

namespace reprise {
namespace {

ConvAttributes conv(Pair stride, Pair padding, Pair dilation, int64_t groups) {
  return {stride, padding, dilation, groups};
}
const std::vector<ConvAttributes> kBadConvs{
    conv(0, 0, 1, 1),          conv({1, -1}, 0, 1, 1),   conv(kHuge, 0, 1, 1), conv(1, -1, 1, 1),
    conv(1, {kHuge, 0}, 1, 1), conv(1, INT32_MAX, 1, 1), conv(1, 0, 0, 1),     conv(1, 0, kHuge, 1),
    conv(1, 0, {1, kMin}, 1),  conv(1, 0, 1, 0),         conv(1, 0, 1, -1),    conv(1, 0, 1, kHuge),
    conv(1, 0, 1, 5),          conv(1, 0, 9, 1)};

Table conv_calls() {
  return {
      call(Conv2d{conv(1, 1, 1, 2)}, {f32({2, 4, 8, 8}), f32({6, 2, 3, 3}), f32({6})}),
      call(Conv2dInputGrad{conv(1, 1, 1, 2), 8}, {f32({2, 6, 8, 8}), f32({6, 2, 3, 3})}),
      call(Conv2dWeightGrad{conv(1, 1, 1, 2), 3}, {f32({2, 6, 8, 8}), f32({2, 4, 8, 8})}),
      call(FusedConv2d{conv(1, 0, 1, 1)}, {f32({2, 4, 8, 8}), f32({6, 4, 3, 3})}),
      call(FusedConv2d{conv(1, 0, 1, 1), false, false, false, Activation::none, true, {6, 4, 3, 3}},
           {f32({2, 4, 8, 8}), f32({32 * 4 * 9})}),
      call(FusedConv2d{conv(1, 0, 1, 1), true, true, true},
           {f32({2, 4, 8, 8}), f32({6, 4, 3, 3}), f32({6}), f32({6}), f32({6}), f32({2, 6, 6, 6})}),
      call(FusedConv2dInputGrad{conv(1, 1, 1, 2), 8},
           {f32({2, 6, 8, 8}), f32({6, 2, 3, 3}), f32({2, 4, 8, 8})}),
      call(PackConvWeight{conv(1, 0, 1, 1), 8}, {f32({6, 4, 3, 3})})};
}
Table bad_conv_calls() {
  const Meta x = f32({2, 4, 8, 8}), w = f32({6, 4, 3, 3}), gy = f32({2, 6, 6, 6});
  const ConvAttributes plain = conv(1, 0, 1, 1);
  const auto packed = [&](const Shape& shape, const Meta& weight) {
    return call(FusedConv2d{plain, false, false, false, Activation::none, true, shape},
                {x, weight});
  };
  Table out{call(Conv2d{plain}, {f32({4, 8, 8}), w}),
            call(Conv2d{plain}, {x, f32({6, 4, 9})}),
            call(Conv2d{plain}, {x, f32({6, 3, 3, 3})}),
            call(Conv2d{plain}, {x, f32({6, 4, 0, 3})}),
            call(Conv2d{plain}, {x, f32({6, 4, 9, 3})}),
            call(Conv2d{plain}, {f32({2, 4, 0, 8}), w}),
            call(Conv2d{conv(1, 2, 1, 1)}, {f32({2, 4, 0, 8}), w}),
            call(Conv2d{plain}, {x, f64({6, 4, 3, 3})}),
            call(Conv2d{plain}, {i64({2, 4, 8, 8}), i64({6, 4, 3, 3})}),
            call(Conv2d{plain}, {x, w, f32({4})}),
            call(Conv2d{plain}, {x, w, apart({6})}),
            call(Conv2d{plain}, {apart({2, 4, 8, 8}), w}),
            call(Conv2d{plain}, {x, wide({6, 4, 3, 3})}),
            call(Conv2d{conv(1, 0, 1, kHuge)}, {x, wide({6, 4, 3, 3})}),
            call(Conv2dInputGrad{plain, 8}, {f32({2, 6, 6}), w}),
            call(Conv2dInputGrad{plain, 8}, {gy, f32({6, 4, 3})}),
            call(Conv2dInputGrad{plain, 8}, {f32({2, 5, 6, 6}), w}),
            call(Conv2dInputGrad{plain, 9}, {gy, w}),
            call(Conv2dInputGrad{plain, -8}, {gy, w}),
            call(Conv2dInputGrad{plain, kHuge}, {gy, w}),
            call(Conv2dInputGrad{plain, 8}, {apart({2, 6, 6, 6}), w}),
            call(Conv2dInputGrad{plain, 8}, {gy, f64({6, 4, 3, 3})}),
            call(Conv2dWeightGrad{plain, 3}, {f32({2, 6, 6}), x}),
            call(Conv2dWeightGrad{plain, 3}, {gy, f32({2, 4, 8})}),
            call(Conv2dWeightGrad{plain, 3}, {f32({1, 6, 6, 6}), x}),
            call(Conv2dWeightGrad{plain, 4}, {gy, x}),
            call(Conv2dWeightGrad{plain, 0}, {gy, x}),
            call(Conv2dWeightGrad{plain, {3, kHuge}}, {gy, x}),
            call(Conv2dWeightGrad{plain, 3}, {gy, apart({2, 4, 8, 8})}),
            call(FusedConv2d{plain, true}, {x, w, f32({4})}),
            call(FusedConv2d{plain, true}, {x, w}),
            call(FusedConv2d{plain, false, true}, {x, w, f32({6})}),
            call(FusedConv2d{plain, false, true}, {x, w, f32({6}), f32({5})}),
            call(FusedConv2d{plain, false, true}, {x, w, f32({1, 6, 1, 1}), f32({6})}),
            call(FusedConv2d{plain, false, true}, {x, w, f32({6}), f64({6})}),
            call(FusedConv2d{plain, false, true}, {x, w, apart({6}), f32({6})}),
            call(FusedConv2d{plain, false, false, true}, {x, w, f32({2, 6, 6, 5})}),
            call(FusedConv2d{plain, false, false, true}, {x, w, apart({2, 6, 6, 6})}),
            call(FusedConv2dInputGrad{plain, 8}, {gy, w, f32({2, 4, 8, 7})}),
            call(FusedConv2dInputGrad{plain, 8}, {gy, w, f64({2, 4, 8, 8})}),
            call(FusedConv2dInputGrad{plain, 8}, {gy, w, apart({2, 4, 8, 8})}),
            call(FusedConv2dInputGrad{plain, 9}, {gy, w, x}),
            packed({6, 4, 3, 3}, f32({4 * 9 * 6})),
            packed({6, 4, 3, 3}, apart({32 * 4 * 9})),
            packed({-6, 4, 3, 3}, f32({0})),
            packed({6, 4, 3}, f32({32 * 4 * 9})),
            packed({kHuge, 4, 3, 3}, f32({32 * 4 * 9})),
            packed({}, f32({})),
            call(PackConvWeight{plain, 8}, {f32({6, 4, 3})}),
            call(PackConvWeight{plain, 8}, {apart({6, 4, 3, 3})}),
            call(PackConvWeight{plain, 2}, {w}),
            call(PackConvWeight{plain, 8}, {i64({6, 4, 3, 3})}),
            call(PackConvWeight{conv(1, 0, 1, kHuge), 8}, {w})};
  for (const ConvAttributes& bad : kBadConvs) {
    out.push_back(call(Conv2d{bad}, {x, w}));
    out.push_back(call(Conv2dInputGrad{bad, 8}, {gy, w}));
    out.push_back(call(Conv2dWeightGrad{bad, 3}, {gy, x}));
    out.push_back(call(FusedConv2d{bad}, {x, w}));
    out.push_back(call(FusedConv2dInputGrad{bad, 8}, {gy, w, x}));
    out.push_back(call(PackConvWeight{bad, 8}, {w}));
  }
  return out;
}

Table pool_calls() {
  return {call(MaxPool2d{{2, 2}}, {f32({1, 2, 8, 8})}),
          call(MaxPool2dGrad{{2, 2}, 8}, {f32({1, 2, 4, 4}), i64({1, 2, 4, 4})}),
          call(MaxPool2dGather{{2, 2}}, {f32({1, 2, 8, 8}), i64({1, 2, 4, 4})}),
          call(FusedMaxPool2d{{16, 1}}, {f32({1, 2, 16, 16})}),
          call(FusedMaxPool2dGrad{{2, 2}, 8}, {f32({1, 2, 4, 4}), u8({1, 2, 4, 4})}),
          call(AvgPool2d{{2, 2}}, {f32({1, 2, 8, 8})}),
          call(AvgPool2dGrad{{2, 2}, 8}, {f32({1, 2, 4, 4})})};
}
Table bad_pool_calls() {
  const Meta x = f32({1, 2, 8, 8}), y = f32({1, 2, 4, 4}), at = i64({1, 2, 4, 4});
  Table out{call(MaxPool2d{{2, 2}}, {f32({2, 8, 8})}),
            call(MaxPool2d{{2, 2}}, {i64({1, 2, 8, 8})}),
            call(MaxPool2d{{2, 2}}, {apart({1, 2, 8, 8})}),
            call(MaxPool2d{{2, 2}}, {f32({1, 2, 0, 8})}),
            call(MaxPool2d{{2, 2}}, {f32({1, 1, 1 << 20, 1 << 20})}),
            call(MaxPool2d{{2, 2, 0, 0}}, {x}),
            call(MaxPool2d{{2, 2, 0, kHuge}}, {x}),
            call(MaxPool2d{{2, 2, 0, {1, -1}}}, {x}),
            call(MaxPool2dGrad{{2, 2}, 8}, {y, i64({1, 2, 4, 5})}),
            call(MaxPool2dGrad{{2, 2}, 8}, {y, f32({1, 2, 4, 4})}),
            call(MaxPool2dGrad{{2, 2}, 8}, {f32({2, 4, 4}), i64({2, 4, 4})}),
            call(MaxPool2dGrad{{2, 2}, 8}, {apart({1, 2, 4, 4}), at}),
            call(MaxPool2dGrad{{2, 2}, 8}, {y, Meta({1, 2, 4, 4}, {0, 0, 0, 0}, int64)}),
            call(MaxPool2dGrad{{2, 2}, -8}, {y, at}),
            call(MaxPool2dGrad{{2, 2}, kHuge}, {y, at}),
            call(MaxPool2dGrad{{2, 2}, 10}, {y, at}),
            call(MaxPool2dGrad{{3, 3, 2}, 8}, {y, at}),
            call(MaxPool2dGather{{2, 2}}, {x, i64({2, 2, 4, 4})}),
            call(MaxPool2dGather{{3, 2}}, {x, at}),
            call(MaxPool2dGather{{2, 2}}, {x, i64({1, 2, 4})}),
            call(MaxPool2dGather{{2, 2}}, {x, y}),
            call(MaxPool2dGather{{2, 2}}, {f32({2, 8, 8}), at}),
            call(MaxPool2dGather{{2, 2}}, {apart({1, 2, 8, 8}), at}),
            call(FusedMaxPool2d{{{16, 17}, 1}}, {f32({1, 2, 17, 17})}),
            call(FusedMaxPool2d{{2, 2, 0, 2}}, {x}),
            call(FusedMaxPool2d{{2, 2}}, {i64({1, 2, 8, 8})}),
            call(FusedMaxPool2dGrad{{2, 2}, 8}, {y, at}),
            call(FusedMaxPool2dGrad{{2, 2}, 8}, {y, u8({1, 2, 4, 5})}),
            call(FusedMaxPool2dGrad{{2, 2}, 8}, {f32({2, 4, 4}), u8({2, 4, 4})}),
            call(FusedMaxPool2dGrad{{2, 2}, 8}, {apart({1, 2, 4, 4}), u8({1, 2, 4, 4})}),
            call(FusedMaxPool2dGrad{{2, 2}, 10}, {y, u8({1, 2, 4, 4})}),
            call(FusedMaxPool2dGrad{{2, 2}, -8}, {y, u8({1, 2, 4, 4})}),
            call(FusedMaxPool2dGrad{{2, 2}, kHuge}, {y, u8({1, 2, 4, 4})}),
            call(AvgPool2d{{2, 2}}, {f32({2, 8, 8})}),
            call(AvgPool2d{{2, 2}}, {apart({1, 2, 8, 8})}),
            call(AvgPool2dGrad{{2, 2}, 8}, {f32({1, 2, 4, 5})}),
            call(AvgPool2dGrad{{2, 2}, 10}, {y}),
            call(AvgPool2dGrad{{2, 2}, -8}, {y}),
            call(AvgPool2dGrad{{2, 2}, kHuge}, {y}),
            call(AvgPool2dGrad{{2, 2}, 8}, {apart({1, 2, 4, 4})})};
  struct Window {
    Pair kernel, stride, padding;
  };
  for (const auto& [kernel, stride, padding] : {Window{0, 2, 0},
                                                {{2, -2}, 2, 0},
                                                {kHuge, 2, 0},
                                                {9, 2, 0},
                                                {2, 0, 0},
                                                {2, {1, -1}, 0},
                                                {2, kHuge, 0},
                                                {2, 2, -1},
                                                {2, 2, 2},
                                                {2, 2, kHuge},
                                                {2, 2, {0, kMin}}}) {
    out.push_back(call(MaxPool2d{{kernel, stride, padding}}, {x}));
    out.push_back(call(AvgPool2d{{kernel, stride, padding}}, {x}));
    out.push_back(call(AvgPool2dGrad{{kernel, stride, padding}, 8}, {y}));
  }
  return out;
}

std::vector<Meta> batch_norm_operands() {
  return {f32({4, 3, 5}), f32({3}), f32({3}), f32({3}), f32({3}), i64({})};
}
std::vector<Meta> and_more(std::vector<Meta> in, const Meta& other) {
  in.push_back(other);
  return in;
}
const std::vector<Meta> kNormGrad{f32({4, 3, 5}), f32({4, 3, 5}), f32({3}), f32({3}), f32({3})};
const std::vector<Meta> kResidualGrad =
    and_more(and_more(kNormGrad, f32({4, 3, 5})), f32({4, 3, 5}));

Table norm_calls() {
  return {call(BatchNorm{}, batch_norm_operands()), call(BatchNormGrad{}, kNormGrad),
          call(FusedBatchNorm{.residual = true}, and_more(batch_norm_operands(), f32({4, 3, 5}))),
          call(FusedBatchNormGrad{}, and_more(kNormGrad, f32({3}))),
          call(FusedBatchNormGrad{true}, kResidualGrad)};
}
Table bad_norm_calls() {
  const std::vector<Meta>& grad = kNormGrad;
  Table out{call(BatchNorm{}, with(batch_norm_operands(), 0, f32({3}))),
            call(BatchNorm{}, with(batch_norm_operands(), 0, i64({4, 3, 5}))),
            call(BatchNorm{}, with(batch_norm_operands(), 0, apart({4, 3, 5}))),
            call(BatchNorm{}, with(batch_norm_operands(), 0, f32({1, 3, 1}))),
            call(BatchNorm{}, with(batch_norm_operands(), 5, f32({}))),
            call(BatchNorm{}, with(batch_norm_operands(), 5, i64({0}))),
            call(BatchNormGrad{}, with(grad, 0, f32({4, 3}))),
            call(BatchNormGrad{}, with(grad, 0, apart({4, 3, 5}))),
            call(BatchNormGrad{}, with(grad, 1, apart({4, 3, 5}))),
            call(BatchNormGrad{}, {f32({}), f32({}), f32({3}), f32({3}), f32({3})})};
  for (const Meta& bad : {f32({2}), f64({3}), f32({}), f32({3, 1})}) {
    for (size_t i = 1; i < 5; ++i)
      out.push_back(call(BatchNorm{}, with(batch_norm_operands(), i, bad)));
    for (size_t i = 2; i < 5; ++i) out.push_back(call(BatchNormGrad{}, with(grad, i, bad)));
    out.push_back(call(FusedBatchNormGrad{}, and_more(grad, bad)));
  }
  for (const Meta& bad : {f32({4, 3}), f64({4, 3, 5}), apart({4, 3, 5}), f32({3})}) {
    out.push_back(call(FusedBatchNorm{.residual = true}, and_more(batch_norm_operands(), bad)));
    for (size_t i : {0, 5, 6}) {
      out.push_back(call(FusedBatchNormGrad{true}, with(kResidualGrad, i, bad)));
    }
  }
  out.push_back(call(FusedBatchNorm{.residual = true}, batch_norm_operands()));
  out.push_back(call(FusedBatchNormGrad{}, grad));
  return out;
}

}  // namespace

Table image_calls() { return joined({conv_calls(), pool_calls(), norm_calls()}); }
Table bad_image_calls() { return joined({bad_conv_calls(), bad_pool_calls(), bad_norm_calls()}); }

}  // namespace reprise
