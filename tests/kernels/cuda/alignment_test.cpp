// Kernels that move packs, into outputs that begin anywhere: dense views of something larger.

#include "../../../core/ops/fused_loss.h"
#include "../../../core/ops/index.h"
#include "../../../core/ops/norm.h"
#include "../../../core/ops/softmax.h"
#include "../../../graph/program.h"
#include "device_testing.h"

namespace reprise::op_testing {
namespace {

class CudaAlignment : public OnDevice {};

/// `x` on the device, `shift` elements behind where packs begin.
Tensor shifted(const Tensor& x, int64_t shift) {
  const Tensor all = zeros({x.numel() + shift}, {.dtype = x.dtype(), .device = Device::cuda()});
  Tensor y = all.slice(0, shift).view(x.shape());
  y.copy_(x);
  return y;
}

Tensors shifted(const Tensors& all, int64_t shift) {
  Tensors out;
  for (const Tensor& x : all) out.push_back(x.is_contiguous() ? shifted(x, shift) : x.cuda());
  return out;
}

std::vector<View> views_of(const Tensors& all) {
  std::vector<View> views;
  for (const Tensor& x : all) views.push_back({x.raw_data(), &x.meta()});
  return views;
}

/// `op` from and into operands that begin `from` and `to` elements behind an aligned place, on the
/// device, equals `op` on the CPU.
template <class T>
void expect_anywhere(const T& op, const Tensors& in, int64_t from, int64_t to) {
  const NoGradGuard no_grad;
  SCOPED_TRACE(testing::Message() << Model(op).text() << " from " << from << " to " << to);
  Tensors here;
  for (const Tensor& x : in) here.push_back(x.clone());  // batch_norm updates some
  const Tensors expected = dispatch(Model(op), here);
  const Tensors ins = shifted(in, from);
  Tensors outs = shifted(expected, to);
  for (Tensor& y : outs) y.fill_(7);
  std::vector<Meta> metas;
  for (const Tensor& x : ins) metas.push_back(x.meta());
  const auto bytes = static_cast<int64_t>(Model(op).workspace(metas, Device::cuda()));
  const Tensor scratch = empty({bytes}, {.dtype = uint8, .device = Device::cuda()});
  const std::vector<View> in_views = views_of(ins), out_views = views_of(outs);
  op.cuda({in_views, out_views, scratch.raw_data(), {cuda::current_stream().handle()}});
  const double tolerance = in[0].dtype() == float32 ? 1e-5 : 1e-13;
  for (size_t k = 0; k < outs.size(); ++k) {
    expect_close(outs[k].cpu(), array_of(expected[k]), tolerance);
  }
}

/// A row of the table: operands of a dtype that the kernel takes in packs, at places `from`, `to`.
struct Case {
  std::string_view name;
  void (*check)(DType dtype, int64_t from, int64_t to);
};

template <class T>
void check_softmax(DType dtype, int64_t from, int64_t to) {
  // Rows in registers and in shared memory, columns, columns that fit in packs alone, and lines.
  for (const auto& [shape, dim] : {std::pair(Shape{3, 64}, 1), std::pair(Shape{1, 36864}, 1),
                                   std::pair(Shape{2, 50, 8}, 1), std::pair(Shape{2, 300, 8}, 1),
                                   std::pair(Shape{2, 2500, 8}, 1), std::pair(Shape{70000}, 0)}) {
    expect_anywhere(T{dim}, {sample(shape, dtype)}, from, to);
  }
}

const Case kCases[] = {
    {"softmax", check_softmax<Softmax>},
    {"log_softmax", check_softmax<LogSoftmax>},
    {"batch_norm",
     [](DType dtype, int64_t from, int64_t to) {
       for (const Shape& shape : {Shape{6, 8}, Shape{3, 2, 16}}) {
         const Shape c{shape[1]};
         const Tensor x = sample(shape, dtype), w = sample(c, dtype, 2), b = sample(c, dtype, 3);
         const Tensor mean = sample(c, dtype, 4), var = ones(c, {.dtype = dtype});
         const Tensor count = zeros({}, {.dtype = int64});
         expect_anywhere(BatchNorm{}, {x, w, b, mean, var, count}, from, to);
         expect_anywhere(BatchNormGrad{}, {sample(shape, dtype, 5), x, w, mean, var}, from, to);
       }
     }},
    {"gather",
     [](DType dtype, int64_t from, int64_t to) {
       const Tensor x = sample({5, 16}, dtype), list = arange(4, {.dtype = int64});
       expect_anywhere(IndexSelect{0}, {x, list}, from, to);
       expect_anywhere(Gather{0}, {x, list.view({4, 1}).expand({4, 16})}, from, to);
     }},
    {"cross-entropy gradient", [](DType dtype, int64_t from, int64_t to) {
       const Tensor y = log_softmax(sample({6, 16}, dtype), 1), g = sample({6, 1}, dtype, 2);
       const Tensor index = arange(6, {.dtype = int64}).view({6, 1});
       expect_anywhere(LogSoftmaxGatherGrad{1}, {y, index, g}, from, to);
       expect_anywhere(LogSoftmaxGather{1}, {y, index}, from, to);
     }}};

TEST_F(CudaAlignment, OperandsBeginAnywhere) {
  for (const Case& c : kCases) {
    for (const DType dtype : {float32, float64}) {
      for (const int64_t from : {0, 1}) {
        for (const int64_t to : {0, 1}) {
          SCOPED_TRACE(c.name);
          c.check(dtype, from, to);
        }
      }
    }
  }
}

/// As users reach such outputs.
TEST_F(CudaAlignment, ProgramsWriteIntoSlices) {
  const Tensor x = sample({4, 16}), out = zeros({65}, {.device = Device::cuda()});
  Program program = compile([](const Tensor& in) { return softmax(in, 1); }, {x.cuda()});
  program.run({x.cuda()}, {out.slice(0, 1).view({4, 16})});
  expect_close(out.slice(0, 1).view({4, 16}).cpu(), array_of(softmax(x, 1)), 1e-6);
}

}  // namespace
}  // namespace reprise::op_testing
