// Convolutions by an emulated cuDNN: descriptors, pointers and workspaces are those that a GPU's
// would be given, and are refused where the real one would.

#include "dnn.h"
#include "../../graph/program.h"
#include "../../kernels/cuda/conv_graph.h"
#include "../../kernels/cuda/handles.h"
#include "../kernels/cuda/conv_testing.h"
#include "../op_rows/row_inputs.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise {
namespace {

using namespace conv_testing;
using emulator::PlayedDnn;

class EmulatedCudaDnn : public testing::TestWithParam<DType> {
 protected:
  ~EmulatedCudaDnn() override {
    EXPECT_GT(PlayedDnn::executions(), before_) << "cuDNN did nothing";
  }

  const PlayedDnn played_;
  const int before_ = PlayedDnn::executions();
};

TEST_P(EmulatedCudaDnn, AllPasses) {
  const std::vector<Case> all = cases();
  for (size_t i = 0; i < all.size(); i += 3) expect_all_passes(all[i], GetParam());
}

TEST_P(EmulatedCudaDnn, WithWhatFollows) { expect_what_follows(GetParam()); }

TEST_P(EmulatedCudaDnn, WritesAGradientOverItsMask) { expect_over_mask(GetParam()); }

TEST_P(EmulatedCudaDnn, RunsRows) {
  for (const op_rows::OpRow& row : op_rows::all_rows()) {
    if (std::string(row.name).find("conv") == std::string::npos || row.operands.empty()) continue;
    SCOPED_TRACE(row.name);
    const Tensors in = op_rows::draw_all(row.operands, GetParam());
    Tensors there;
    for (const Tensor& x : in) there.push_back(x.cuda());
    const Tensors got = row.f(there), expected = row.f(in);
    const double rounding = is_half(GetParam()) ? op_rows::rounding_of(GetParam()) : 0;
    for (size_t k = 0; k < expected.size(); ++k) {
      const double largest = abs(expected[k]).max().to(float64).item<double>();
      const double tolerance = row.tolerance + 4 * rounding * std::max(1.0, largest);
      expect_tensor(got[k].cpu(), expected[k], tolerance);
    }
  }
}

/// Operands that do not begin at a multiple of 16 bytes are our own kernel's.
TEST_P(EmulatedCudaDnn, IsNotGivenWhatIsNotAligned) {
  const Tensor x = whole({2, 3, 5, 5}, GetParam(), 1), w = whole({4, 3, 3, 3}, GetParam(), 2);
  const Tensor expected = apply(Conv2d{}, x, w);
  expect_tensor(apply(Conv2d{}, x.cuda(), w.cuda()).cpu(), expected);
  const int before = PlayedDnn::executions();
  const Tensor all = cat({x.reshape({-1}).slice(0, 0, 1), x.reshape({-1})}, 0).cuda();
  expect_tensor(apply(Conv2d{}, all.slice(0, 1).reshape(x.shape()), w.cuda()).cpu(), expected);
  EXPECT_EQ(PlayedDnn::executions(), before);
}

TEST_P(EmulatedCudaDnn, IsCaptured) {
  const Tensor x = whole({2, 3, 5, 5}, GetParam(), 1), w = whole({4, 3, 3, 3}, GetParam(), 2);
  const Tensor b = whole({4}, GetParam(), 3), expected = apply(Conv2d{}, x, w, b);
  Tensors in{x.cuda(), w.cuda(), b.cuda()};
  Tensor y = empty_like(expected).cuda();
  const Prepared conv(Conv2d{}, in, y);
  conv.run();
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  conv.run({stream});
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  for (const double factor : {1., 2.}) {
    if (factor != 1) in[0].copy_(x * factor), in[2].copy_(b * factor);
    y.zero_();
    ASSERT_EQ(cudaGraphLaunch(exec, stream), cudaSuccess);
    expect_tensor(y.cpu(), expected * factor);
  }
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

INSTANTIATE_TEST_SUITE_P(Floats, EmulatedCudaDnn,
                         testing::Values(float32, float64, float16, bfloat16),
                         [](const auto& p) { return std::string(to_string(p.param)); });

/// What was captured with cuDNN is captured anew without it.
TEST(EmulatedCudaDnnReplay, EndsWithTheLibrary) {
  const Tensor x = whole({2, 3, 5, 5}, float32, 1), w = whole({4, 3, 3, 3}, float32, 2);
  const Tensor there = x.cuda(), weight = w.cuda(), expected = apply(Conv2d{}, x, w);
  std::optional<PlayedDnn> played(std::in_place);
  Program program = compile([&](const Tensor& a) { return apply(Conv2d{}, a, weight); }, {there});
  const auto executions_of_four = [&] {
    const int before = PlayedDnn::executions();
    for (int i = 0; i < 4; ++i) expect_tensor(program(there).cpu(), expected);
    EXPECT_EQ(program.replay().find("one CUDA graph"), 0U) << program.replay();
    return PlayedDnn::executions() - before;
  };
  EXPECT_GT(executions_of_four(), 0);
  played.reset();
  EXPECT_EQ(executions_of_four(), 0);
}

/// 2049 has no place in float16, 2050 has.
TEST(EmulatedCudaDnnPlans, RoundASumWithItsBias) {
  const PlayedDnn played;
  const TensorOptions half{.dtype = float16};
  const Tensor x = ones({1, 2049, 1, 1}, half).cuda(), b = ones({1}, half).cuda();
  EXPECT_EQ(apply(Conv2d{}, x, x, b).to(float32).item<float>(), 2050);
}

/// Scratch that was asked for with one setting of TF32 serves the kernel with the other. A plan
/// writes over all that it may take, so AddressSanitizer would see it.
TEST(EmulatedCudaDnnPlans, TakeNoMoreRoomThanWasAskedFor) {
  const PlayedDnn played;
  for (const bool first : {false, true}) {
    const Tensor x = whole({2, 3, 5 + int64_t{first}, 5}, float32, 1);
    const Tensor w = whole({4, 3, 3, 3}, float32, 2), expected = apply(Conv2d{}, x, w);
    const Tensor there = x.cuda(), filter = w.cuda(), y = empty_like(expected).cuda();
    cuda::set_allow_tf32(first);
    const Prepared conv(Conv2d{}, {there, filter}, y);
    EXPECT_EQ(conv.scratch(), first ? 1003 : 301);
    cuda::set_allow_tf32(!first);
    const int before = PlayedDnn::executions();
    conv.run();
    cuda::set_allow_tf32(false);
    EXPECT_EQ(PlayedDnn::executions(), before + 1);
    expect_tensor(y.cpu(), expected);
  }
}

/// Our own kernel stands in for what cuDNN cannot do, not for what it lacks memory for.
TEST(EmulatedCudaDnnPlans, AreMadeOnceThereIsMemory) {
  const PlayedDnn played;
  const Tensor x = whole({2, 3, 9, 5}, float32, 1), w = whole({4, 3, 3, 3}, float32, 2);
  const Tensor there = x.cuda(), filter = w.cuda(), expected = apply(Conv2d{}, x, w);
  for (const cudnnStatus_t reason : {CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
                                     CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED}) {
    played.refuse_plans(reason);
    test::expect_error([&] { apply(Conv2d{}, there, filter); }, ErrorKind::OutOfMemory,
                       {"cudnnBackendFinalize"});
  }
  const int before = PlayedDnn::executions();
  played.refuse_plans(CUDNN_STATUS_SUCCESS);
  expect_tensor(apply(Conv2d{}, there, filter).cpu(), expected);
  EXPECT_EQ(PlayedDnn::executions(), before + 1);
  played.refuse_plans(CUDNN_STATUS_NOT_SUPPORTED);
  const Tensor wide = cat({x, x}, 3), both = apply(Conv2d{}, wide, w);
  for (int i = 0; i < 2; ++i) {
    expect_tensor(apply(Conv2d{}, wide.cuda(), filter).cpu(), both);
    played.refuse_plans(CUDNN_STATUS_SUCCESS);  // but is not asked again
  }
  EXPECT_EQ(PlayedDnn::executions(), before + 1);
}

/// What the real one refuses, so that a test here can find it.
TEST(EmulatedCudaDnnDescriptors, RefuseWhatIsWrong) {
  using cuda::DnnDescriptor;
  const PlayedDnn played;
  const auto tensor = [] {
    DnnDescriptor t(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    t.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_HALF);
    t.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::vector<int64_t>{1, 2, 3, 4});
    t.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>{24, 12, 4, 1});
    t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, int64_t{1});
    t.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16});
    return t;
  };
  EXPECT_NO_THROW(tensor().finalize());
  const std::function<void(DnnDescriptor&)> wrong[] = {
      [](auto& t) { t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, 1.0F); },
      [](auto& t) {
        t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::vector<int64_t>{1, 2});
      },
      [](auto& t) { t.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2}); },
      [](auto& t) {
        t.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>{12, 4, 1});
      },
      [](auto& t) {
        t.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>{24, 12, 4, 0});
      },
      [](auto& t) { t.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{1}); },
      [](auto& t) {
        t.finalize();
        t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, int64_t{2});
      }};
  for (const auto& change : wrong) {
    DnnDescriptor t = tensor();
    EXPECT_THROW((change(t), t.finalize()), Error) << "change " << &change - wrong;
  }
  DnnDescriptor op(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  DnnDescriptor open = tensor();
  EXPECT_THROW(op.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, open), Error) << "not finalized";
  open.finalize();
  EXPECT_THROW(op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, open), Error) << "a tensor";
  EXPECT_THROW(op.finalize(), Error) << "incomplete";
  cuda::ConvWork work{ConvPass::forward, {2, 6, 5, 5, 4, 3, 3}, float32};
  work.shape.groups = 4;  // do not divide the channels
  EXPECT_THROW(cuda::ConvGraph(work, cuda::dnn_handle(nullptr)), Error);
}

}  // namespace
}  // namespace reprise

#endif
