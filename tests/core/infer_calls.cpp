// The calls of infer_calls.h, by family: first those that are well, then those that are not.

#include "infer_calls.h"

#include <cmath>
#include <cstdint>

#include "../../core/model.h"
#include "../../core/ops/cat.h"
#include "../../core/ops/conv.h"
#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/foreach.h"
#include "../../core/ops/fused.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/fused_loss.h"
#include "../../core/ops/fused_norm.h"
#include "../../core/ops/fused_pool.h"
#include "../../core/ops/host_call.h"
#include "../../core/ops/index.h"
#include "../../core/ops/matmul.h"
#include "../../core/ops/memory_format.h"
#include "../../core/ops/norm.h"
#include "../../core/ops/pool.h"
#include "../../core/ops/random.h"
#include "../../core/ops/reduce.h"
#include "../../core/ops/scaling.h"
#include "../../core/ops/softmax.h"
#include "../../core/ops/transfer.h"
#include "../../core/ops/update.h"
#include "../../core/ops/view.h"

namespace reprise {
namespace {

constexpr int64_t kMin = INT64_MIN;

template <Op T>
Calls call(const T& op, std::vector<Meta> in) {
  return {Model<T>(op).keep(), std::move(in)};
}

Meta f32(const Shape& shape) { return Meta(shape, float32); }
Meta f64(const Shape& shape) { return Meta(shape, float64); }
Meta i64(const Shape& shape) { return Meta(shape, int64); }
Meta u8(const Shape& shape) { return Meta(shape, uint8); }
Meta mask(const Shape& shape) { return Meta(shape, bool_); }
/// Every second element of a row.
Meta apart(const Shape& shape) {
  Meta meta = f32(shape);
  for (int64_t& stride : meta.strides) stride *= 2;
  return meta;
}
Meta wide(const Shape& shape) { return Meta(shape, Shape::filled(shape.dim(), 0), float32); }

const HostFunction kSame = [](const Tensors& in) { return in; };
HostCall host_call_of(const Shape& out) {
  return {{std::make_shared<const HostFunction>(kSame)}, "same", {{out, float32}}};
}

Table elementwise_calls() {
  return {call(Neg{}, {f32({2})}),
          call(Exp{}, {f32({2})}),
          call(Add{}, {i64({2}), i64({2})}),
          call(Remainder{}, {i64({2}), i64({2})}),
          call(Eq{}, {mask({2}), mask({2})}),
          call(Where{}, {mask({2}), f32({2}), f32({2})}),
          call(Copy{int64}, {f32({2})}),
          call(Fused{{{Model(Add{}).keep(), {0, 1}}}, {2}}, {f32({2}), f32({2})})};
}
Table bad_elementwise_calls() {
  const auto fused = [](OpRef op, SmallVector<int64_t, 3> in, std::vector<int64_t> results) {
    return call(Fused{{{std::move(op), std::move(in)}}, std::move(results)}, {f32({2}), f32({2})});
  };
  const OpRef add = Model(Add{}).keep();
  return {call(Neg{}, {mask({2})}),
          call(Exp{}, {i64({2})}),
          call(Add{}, {i64({2}), f32({2})}),
          call(Remainder{}, {mask({2}), mask({2})}),
          call(Add{}, {f32({2}), f32({1})}),
          call(Eq{}, {f32({2}), f32({3})}),
          call(Where{}, {f32({2}), f32({2}), f32({2})}),
          call(Where{}, {mask({3}), f32({2}), f32({2})}),
          call(Where{}, {mask({2}), f32({2}), f64({2})}),
          call(Copy{float64}, {wide({kHuge})}),
          call(Fused{}, {f32({2})}),
          fused(add, {0}, {2}),
          fused(add, {0, 2}, {2}),
          fused(add, {0, -1}, {2}),
          fused(add, {0, 1}, {1}),
          fused(add, {0, 1}, {3}),
          fused(add, {0, 1}, {2, 2}),
          fused(add, {0, 1}, {}),
          fused(Model(MatMul{}).keep(), {0, 1}, {2})};
}

Table view_calls() {
  return {call(ViewAs{{3, 2}}, {f32({2, 3})}),
          call(Permute{{1, 0}}, {f32({2, 3})}),
          call(Expand{{4, 2, 3}}, {f32({2, 1})}),
          call(StridedSlice{1, 1, 2, 3}, {f32({2, 5})}),
          call(SliceGrad{{1, 1, 2, 3}, 5}, {f32({2, 2})}),
          call(Cat{1}, {f32({2, 5}), f32({2, 0})})};
}
Table bad_view_calls() {
  const auto slice = [](const StridedSlice& op) { return call(op, {f32({2, 5})}); };
  const auto slice_grad = [](const StridedSlice& op, int64_t full) {
    return call(SliceGrad{op, full}, {f32({2, 2})});
  };
  return {call(ViewAs{{3, 3}}, {f32({2, 3})}),
          call(ViewAs{{-3, -2}}, {f32({2, 3})}),
          call(ViewAs{{1}}, {f32({0})}),
          call(ViewAs{{kHuge, 4}}, {f32({2, 3})}),
          call(ViewAs{{6}}, {Meta({2, 3}, {1, 2}, float32)}),
          call(Permute{{0}}, {f32({2, 3})}),
          call(Permute{{0, 1, 1}}, {f32({2, 3})}),
          call(Permute{{0, 0}}, {f32({2, 3})}),
          call(Permute{{0, 2}}, {f32({2, 3})}),
          call(Permute{{-1, 0}}, {f32({2, 3})}),
          call(Permute{{0, kHuge}}, {f32({2, 3})}),
          call(Expand{{3}}, {f32({2, 3})}),
          call(Expand{{3, 3}}, {f32({2, 3})}),
          call(Expand{{-1, 2, 3}}, {f32({2, 3})}),
          call(Expand{{kHuge, 2, 3}}, {f32({2, 3})}),
          slice({2, 0, 1, 1}),
          slice({-1, 0, 1, 1}),
          slice({1, -1, 1, 1}),
          slice({1, 0, -1, 1}),
          slice({1, 0, 1, 0}),
          slice({1, 0, 2, -1}),
          slice({1, 0, 6, 1}),
          slice({1, 5, 1, 1}),
          slice({1, 1, 2, 4}),
          slice({1, 1, 3, kHuge}),
          slice({1, kHuge, 2, kHuge}),
          call(StridedSlice{0, 0, 1, 1}, {f32({})}),
          slice_grad({2, 0, 2, 1}, 5),
          slice_grad({-1, 0, 2, 1}, 5),
          slice_grad({1, 0, 1, 1}, 5),
          slice_grad({1, 4, 2, 1}, 5),
          slice_grad({1, 0, 2, 1}, -5),
          slice_grad({1, 0, 2, 1}, kHuge),
          call(Cat{0}, {}),
          call(Cat{2}, {f32({2, 5})}),
          call(Cat{-1}, {f32({2, 5})}),
          call(Cat{0}, {f32({})}),
          call(Cat{0}, {f32({2, 5}), f32({2, 4})}),
          call(Cat{0}, {f32({2, 5}), f32({2})}),
          call(Cat{0}, {f32({2, 5}), f64({2, 5})}),
          call(Cat{0}, {wide({kHuge}), wide({kHuge})}),
          call(Cat{0}, {wide({kHuge / 8}), wide({kHuge})})};
}

Table reduce_calls() {
  return {call(Sum{{0, 2}, true}, {f32({2, 3, 4})}),
          call(MaxDim{1, false}, {f32({2, 3})}),
          call(Softmax{1}, {f32({2, 3})}),
          call(LogSoftmax{0}, {f32({})}),
          call(SoftmaxGrad{1}, {f32({2, 3}), f32({2, 3})}),
          call(Gather{1}, {f32({2, 3}), i64({1, 9})}),
          call(GatherGrad{1, {2, 3}}, {f32({1, 9}), i64({1, 9})}),
          call(IndexSelect{1}, {f32({2, 3}), i64({9})}),
          call(IndexSelectGrad{1, 3}, {f32({2, 9}), i64({9})}),
          call(LogSoftmaxGather{1}, {f32({2, 3}), i64({2, 1})}),
          call(LogSoftmaxGatherGrad{1}, {f32({2, 3}), i64({2, 1}), f32({2, 1})}),
          call(LogSoftmaxGatherGrad{1},
               {f32({2, 3}), i64({2, 1}), f32({2, 1}), f32({2, 1}), f32({2, 1})})};
}
Table bad_reduce_calls() {
  const auto sum = [](const Shape& dims) { return call(Sum{dims, false}, {f32({2, 3, 4})}); };
  return {sum({}),
          sum({1, 0}),
          sum({1, 1}),
          sum({-1}),
          sum({3}),
          sum({kHuge}),
          call(Sum{{0}, false}, {f32({})}),
          call(MaxDim{2, false}, {f32({2, 3})}),
          call(MaxDim{-1, false}, {f32({2, 3})}),
          call(MaxDim{1, false}, {f32({2, 0})}),
          call(MaxDim{1, false}, {f32({})}),
          call(Softmax{2}, {f32({2, 3})}),
          call(Softmax{-1}, {f32({2, 3})}),
          call(Softmax{0}, {i64({2, 3})}),
          call(LogSoftmax{INT32_MAX}, {f32({2, 3})}),
          call(LogSoftmax{0}, {mask({2})}),
          call(SoftmaxGrad{2}, {f32({2, 3}), f32({2, 3})}),
          call(SoftmaxGrad{0}, {f32({2, 3}), f32({2, 4})}),
          call(SoftmaxGrad{0}, {f32({2, 3})}),
          call(SoftmaxGrad{0}, {f32({2, 3}), i64({2, 3})}),
          call(SoftmaxGrad{0}, {f32({2, 3}), Meta({2, 3}, {0, 1}, float32)}),
          call(Gather{2}, {f32({2, 3}), i64({1, 3})}),
          call(Gather{-1}, {f32({2, 3}), i64({1, 3})}),
          call(Gather{1}, {f32({2, 3}), i64({3, 3})}),
          call(Gather{1}, {f32({2, 3}), i64({2})}),
          call(Gather{1}, {f32({2, 3}), f32({1, 3})}),
          call(GatherGrad{1, {2, 3}}, {f32({1, 8}), i64({1, 9})}),
          call(GatherGrad{1, {2, 3}}, {i64({1, 9}), i64({1, 9})}),
          call(GatherGrad{1, {2, 3}}, {f32({1, 9}), f32({1, 9})}),
          call(GatherGrad{2, {2, 3}}, {f32({1, 9}), i64({1, 9})}),
          call(GatherGrad{-1, {2, 3}}, {f32({1, 9}), i64({1, 9})}),
          call(GatherGrad{1, {0, 3}}, {f32({1, 9}), i64({1, 9})}),
          call(GatherGrad{1, {3}}, {f32({1, 9}), i64({1, 9})}),
          call(GatherGrad{1, {2, -3}}, {f32({1, 9}), i64({1, 9})}),
          call(GatherGrad{1, {2, kHuge}}, {f32({1, 9}), i64({1, 9})}),
          call(IndexSelect{1}, {f32({2, 3})}),
          call(IndexSelect{2}, {f32({2, 3}), i64({9})}),
          call(IndexSelect{-1}, {f32({2, 3}), i64({9})}),
          call(IndexSelect{0}, {f32({}), i64({9})}),
          call(IndexSelect{1}, {f32({2, 3}), i64({1, 9})}),
          call(IndexSelect{1}, {f32({2, 3}), f32({9})}),
          call(IndexSelect{0}, {wide({2, kHuge}), Meta({kHuge}, {0}, int64)}),
          call(IndexSelectGrad{1, 3}, {f32({2, 8}), i64({9})}),
          call(IndexSelectGrad{1, 3}, {i64({2, 9}), i64({9})}),
          call(IndexSelectGrad{2, 3}, {f32({2, 9}), i64({9})}),
          call(IndexSelectGrad{1, -3}, {f32({2, 9}), i64({9})}),
          call(IndexSelectGrad{1, kHuge}, {f32({2, 9}), i64({9})}),
          call(LogSoftmaxGather{2}, {f32({2, 3}), i64({2, 1})}),
          call(LogSoftmaxGather{-1}, {f32({2, 3}), i64({2, 1})}),
          call(LogSoftmaxGather{1}, {f32({2, 3}), i64({2, 2})}),
          call(LogSoftmaxGather{1}, {f32({2, 3}), f32({2, 1})}),
          call(LogSoftmaxGather{1}, {i64({2, 3}), i64({2, 1})}),
          call(LogSoftmaxGatherGrad{1}, {f32({2, 3}), i64({2, 1}), f32({2, 1}), f32({2, 1})}),
          call(LogSoftmaxGatherGrad{1},
               {f32({2, 3}), i64({2, 1}), f32({2, 1}), f32({2, 1}), i64({2, 1})}),
          call(LogSoftmaxGatherGrad{1},
               {f32({2, 3}), i64({2, 1}), f32({2, 1}), f32({2, 2}), f32({2, 1})}),
          call(LogSoftmaxGatherGrad{2}, {f32({2, 3}), i64({2, 1}), f32({2, 1})}),
          call(LogSoftmaxGatherGrad{-1}, {f32({2, 3}), i64({2, 1}), f32({2, 1})}),
          call(LogSoftmaxGatherGrad{1}, {f32({2, 3}), i64({2, 2}), f32({2, 1})}),
          call(LogSoftmaxGatherGrad{1}, {f32({2, 3}), i64({2, 1}), f32({1, 1})}),
          call(LogSoftmaxGatherGrad{1}, {f32({2, 3}), f32({2, 1}), f32({2, 1})})};
}

Table matmul_calls() {
  return {call(MatMul{}, {f32({2, 3}), f32({3, 4})}),
          call(Linear{}, {f32({2, 3}), f32({4, 3}), f32({4})}),
          call(LinearWeightGrad{}, {f32({2, 4}), f32({2, 3})}),
          call(FusedLinear{}, {f32({2, 3}), f32({4, 3}), f32({4})}),
          call(FusedLinear{Activation::gelu, true}, {f32({2, 3}), f32({4, 3}), f32({4})}),
          call(FusedLinearInputGrad{}, {f32({2, 4}), f32({4, 3}), f32({2, 3})})};
}
Table bad_matmul_calls() {
  return {call(MatMul{}, {f32({3}), f32({3})}),
          call(MatMul{}, {f32({}), f32({})}),
          call(MatMul{}, {f32({2, 3}), f32({4, 3})}),
          call(MatMul{}, {f32({2, 3}), f32({1, 3, 4})}),
          call(MatMul{}, {f32({2, 2, 3}), f32({1, 3, 4})}),
          call(MatMul{}, {f32({1, 2, 2, 3}), f32({1, 2, 3, 4})}),
          call(MatMul{}, {f32({2, 3}), f64({3, 4})}),
          call(MatMul{}, {i64({2, 3}), i64({3, 4})}),
          call(MatMul{}, {wide({kHuge, 1}), wide({1, kHuge})}),
          call(Linear{}, {f32({2, 3}), f32({3, 4})}),
          call(Linear{}, {f32({2, 3}), f32({3})}),
          call(Linear{}, {f32({3}), f32({4, 3})}),
          call(Linear{}, {f32({2, 3}), f32({4, 3}), f32({3})}),
          call(Linear{}, {f32({2, 3}), f32({4, 3}), f64({4})}),
          call(Linear{}, {f32({2, 3}), f32({4, 3}), apart({4})}),
          call(Linear{}, {wide({kHuge, 0}), wide({kHuge, 0})}),
          call(LinearWeightGrad{}, {f32({2, 4}), f32({3, 2})}),
          call(LinearWeightGrad{}, {f32({2, 4}), f32({2})}),
          call(LinearWeightGrad{}, {f32({2, 4}), f64({2, 3})}),
          call(FusedLinear{}, {f32({2, 3}), f32({4, 3}), apart({4})}),
          call(FusedLinear{}, {f32({2, 3}), f32({4, 3})}),
          call(FusedLinear{Activation::none, true}, {f32({2, 3}), f32({4, 3}), f32({4})}),
          call(FusedLinearInputGrad{Activation::tanh}, {f32({2, 4}), f32({4, 3}), f32({2, 3})}),
          call(FusedLinearInputGrad{}, {f32({2, 4}), f32({4, 3})}),
          call(FusedLinearInputGrad{}, {f32({2, 4}), f32({3, 4}), f32({2, 3})}),
          call(FusedLinearInputGrad{}, {f32({2, 4}), f32({4, 3}), f32({3, 2})}),
          call(FusedLinearInputGrad{}, {f32({2, 4}), f32({4, 3}), f64({2, 3})}),
          call(FusedLinearInputGrad{}, {f32({2, 4}), f32({4, 3}), apart({2, 3})}),
          call(FusedLinearInputGrad{}, {f32({1, 2, 4}), f32({1, 4, 3}), f32({1, 2, 3})})};
}

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
std::vector<Meta> with(std::vector<Meta> in, size_t at, const Meta& other) {
  in.at(at) = other;
  return in;
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

Table other_calls() {
  return {call(Full{{2}, 1, float32, {}}, {}),
          call(Arange{0, 1, 3, int64, {}}, {}),
          call(RandomBlocks{3, {}}, {}),
          call(NextBlocks{3}, {i64({2})}),
          call(Random{{3}, float32, false, 0, 1}, {i64({2})}),
          call(Dropout{0.5}, {f32({3}), i64({2})}),
          call(host_call_of({3}), {f32({2})}),
          call(ToDevice{{}, Device::cuda()}, {f32({2})}),
          call(ToMemoryFormat{channels_last}, {f32({2, 3, 4, 5})}),
          call(SgdStep{}, {f64({}), f32({2}), f32({2}), f32({0}), f64({})}),
          call(SgdStep{}, {f64({}), f32({2}), Meta({2}, bfloat16), f32({0}), f64({})}),
          call(AdamStep{}, {f64({}), f32({2}), f32({2}), f32({2}), f32({2}), f32({0}), f64({})}),
          call(Unscale{}, {f32({}), f32({2}), f64({3}), apart({2, 3})}),
          call(UpdateScale{}, {f32({}), Meta({}, int32), f32({})}),
          call(ForeachCopy{bfloat16}, {f32({2}), i64({3}), wide({2, 3})}),
          call(ForeachAdd{}, {f32({2}), f32({2}), apart({3}), wide({3})}),
          call(ForeachAdd{}, {f32({2}), Meta({2}, float16)}),
          call(ForeachFill{1}, {f32({2}), apart({2, 3})}),
          call(ForeachClamp{1}, {f32({2}), f64({0})}),
          call(TotalNorm{}, {f32({2}), f64({3}), Meta({2, 3}, {1, 2}, float32), wide({0})}),
          call(ClipWithNorm{1}, {f32({}), f32({2}), f64({3})})};
}
Meta channels_last_of(const Shape& shape) {
  return {shape, dense_strides(shape, channels_last), float32};
}
Table bad_other_calls() {
  const std::vector<Meta> sgd{f64({}), f32({2}), f32({2}), f32({2}), f64({})};
  const std::vector<Meta> adam{f64({}), f32({2}), f32({2}), f32({2}), f32({2}), f32({2}), f64({})};
  Table out{call(Full{{-1}, 1, float32, {}}, {}),
            call(Full{{kHuge}, 1, float32, {}}, {}),
            call(Full{{kHuge, kHuge}, 1, uint8, {}}, {}),
            call(Arange{0, 1, -1, int64, {}}, {}),
            call(Arange{0, 1, kHuge, int64, {}}, {}),
            call(RandomBlocks{-1, {}}, {}),
            call(NextBlocks{-1}, {i64({2})}),
            call(NextBlocks{3}, {f32({2})}),
            call(Random{{-3}, float32, false, 0, 1}, {i64({2})}),
            call(Random{{kHuge}, float32, false, 0, 1}, {i64({2})}),
            call(Random{{3}, int64, false, 0, 1}, {i64({2})}),
            call(Random{{3}, float32, false, 0, 1}, {i64({1})}),
            call(Random{{3}, float32, false, 0, 1}, {f32({2})}),
            call(ToDevice{}, {}),
            call(ToMemoryFormat{}, {}),
            call(ToMemoryFormat{channels_last}, {f32({2, 3, 4})}),
            call(Conv2d{}, {f32({1, 3, 4, 4}), channels_last_of({2, 3, 3, 3})}),
            call(Conv2d{}, {channels_last_of({1, 3, 4, 4}), f32({2, 3, 3, 3})}),
            call(ToDevice{}, {Meta({2, 3}, {1, 2}, float32)}),
            call(Dropout{0.5}, {f32({3}), i64({3})}),
            call(Dropout{0.5}, {i64({3}), i64({2})}),
            call(Dropout{1.5}, {f32({3}), i64({2})}),
            call(Dropout{std::nan("")}, {f32({3}), i64({2})}),
            call(SgdStep{}, {f64({}), f32({2}), Meta({3}, bfloat16), f32({0}), f64({})}),
            call(SgdStep{}, {f64({}), f64({2}), Meta({2}, bfloat16), f64({0}), f64({})}),
            call(SgdStep{}, {f64({}), Meta({2}, float16), Meta({2}, bfloat16), f32({0}), f64({})}),
            call(Unscale{}, {f32({})}),
            call(Unscale{}, {f64({}), f32({2})}),
            call(Unscale{}, {f32({}), f32({2}), i64({2})}),
            call(Unscale{}, {f32({}), wide({2})}),
            call(ForeachCopy{float32}, {}),
            call(ForeachCopy{float64}, {f32({kHuge})}),
            call(ForeachAdd{}, {}),
            call(ForeachAdd{}, {f32({2})}),
            call(ForeachAdd{}, {f32({2}), f32({3})}),
            call(ForeachAdd{}, {f32({2}), f64({2})}),
            call(ForeachAdd{}, {f64({2}), Meta({2}, float16)}),
            call(ForeachAdd{}, {i64({2}), i64({2})}),
            call(ForeachAdd{}, {wide({2}), f32({2})}),
            call(ForeachFill{}, {}),
            call(ForeachFill{}, {i64({2})}),
            call(ForeachFill{}, {f32({2}), wide({2})}),
            call(ForeachClamp{}, {}),
            call(ForeachClamp{}, {mask({2})}),
            call(ForeachClamp{}, {wide({2})}),
            call(TotalNorm{}, {}),
            call(TotalNorm{}, {f32({2}), i64({2})}),
            call(TotalNorm{}, {f32({2}), apart({2})}),
            call(TotalNorm{}, {wide({2})}),
            call(ClipWithNorm{}, {f32({})}),
            call(ClipWithNorm{}, {f32({1}), f32({2})}),
            call(ClipWithNorm{}, {i64({}), f32({2})}),
            call(ClipWithNorm{}, {f32({}), i64({2})}),
            call(ClipWithNorm{}, {f32({}), wide({2})}),
            call(UpdateScale{}, {f32({}), Meta({}, int32)}),
            call(UpdateScale{}, {f32({1}), Meta({}, int32), f32({})}),
            call(UpdateScale{}, {f32({}), i64({}), f32({})}),
            call(UpdateScale{}, {f32({}), Meta({}, int32), f64({})}),
            call(host_call_of({-1}), {f32({2})}),
            call(host_call_of({kHuge}), {f32({2})}),
            call(HostCall{{}, "none", {{{2}, float32}}}, {f32({2})}),
            call(HostCall{{std::make_shared<const HostFunction>(kSame)}, "nothing", {}}, {})};
  for (size_t i = 0; i < sgd.size(); ++i) {
    out.push_back(call(SgdStep{.momentum = 0.9}, with(sgd, i, f32({3}))));
    out.push_back(call(SgdStep{.momentum = 0.9}, with(sgd, i, i64({2}))));
  }
  for (size_t i = 0; i < adam.size(); ++i) {
    out.push_back(call(AdamStep{.amsgrad = true}, with(adam, i, f32({3}))));
    out.push_back(call(AdamStep{.amsgrad = true}, with(adam, i, i64({2}))));
  }
  return out;
}

Table joined(std::initializer_list<Table> tables) {
  Table out;
  for (const Table& table : tables) out.insert(out.end(), table.begin(), table.end());
  return out;
}
}  // namespace

Table good_calls() {
  return joined({elementwise_calls(), view_calls(), reduce_calls(), matmul_calls(), conv_calls(),
                 pool_calls(), norm_calls(), other_calls()});
}
Table bad_calls() {
  return joined({bad_elementwise_calls(), bad_view_calls(), bad_reduce_calls(), bad_matmul_calls(),
                 bad_conv_calls(), bad_pool_calls(), bad_norm_calls(), bad_other_calls()});
}

}  // namespace reprise
