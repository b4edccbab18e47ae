// The calls of infer_calls.h, by family, but for those of images: first those that are well, then
// those that are not.

#include "infer_calls.h"

#include <cmath>
#include <cstdint>

#include "../../core/ops/cat.h"
#include "../../core/ops/conv.h"
#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/foreach.h"
#include "../../core/ops/fused.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/fused_loss.h"
#include "../../core/ops/host_call.h"
#include "../../core/ops/index.h"
#include "../../core/ops/matmul.h"
#include "../../core/ops/memory_format.h"
#include "../../core/ops/random.h"
#include "../../core/ops/reduce.h"
#include "../../core/ops/scaling.h"
#include "../../core/ops/softmax.h"
#include "../../core/ops/transfer.h"
#include "../../core/ops/update.h"
#include "../../core/ops/view.h"

namespace reprise {
namespace {

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

}  // namespace

Table good_calls() {
  return joined({elementwise_calls(), view_calls(), reduce_calls(), matmul_calls(), image_calls(),
                 other_calls()});
}
Table bad_calls() {
  return joined({bad_elementwise_calls(), bad_view_calls(), bad_reduce_calls(), bad_matmul_calls(),
                 bad_image_calls(), bad_other_calls()});
}

}  // namespace reprise
