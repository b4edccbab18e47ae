// Optimizer steps on the device against the CPU: several blocks, tails, tables that overflow.

#include "../../../core/ops/update.h"

#include <cuda_runtime.h>

#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../../../core/ops/scaling.h"
#include "../../../optim/optim.h"
#include "../op_testing.h"

namespace reprise {
namespace {

using namespace op_testing;

class CudaUpdate : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

Tensor number(double value) { return full({}, value, {.dtype = float64}); }

using Layout = std::function<Tensor(const Tensor&)>;
Tensor dense(const Tensor& x) { return x; }
Tensor transposed(const Tensor& x) { return transpose(clone(transpose(x, 0, -1)), 0, -1); }
/// Dense, but not where vectors may begin.
Tensor shifted(const Tensor& x) {
  const Tensor room = empty({x.numel() + 1}, {.dtype = x.dtype(), .device = x.device()});
  Tensor out = reshape(slice(room, 0, 1), x.shape());
  return out.copy_(x), out;
}
/// Apart in memory.
Tensor spaced(const Tensor& x) {
  Shape twice = x.shape();
  twice[0] *= 2;
  Tensor out = slice(empty(twice, {.dtype = x.dtype(), .device = x.device()}), 0, 0, twice[0], 2);
  return out.copy_(x), out;
}

/// Calls add(shape, dtype, layout of the gradient, layout of the others) for each parameter.
void for_each_parameter(const auto& add) {
  for (int i = 0; i < 600; ++i) add(Shape{i % 7}, float32, dense, dense);  // more than tables hold
  add({4096 * 3 + 5}, float32, dense, dense);
  add({4096, 5}, float64, dense, dense);
  add({1000, 9}, float32, shifted, dense);
  add({1000, 9}, float64, dense, shifted);
  add({9, 70, 31}, float32, transposed, transposed);
  add({9, 70, 31}, float32, transposed, dense);
  add({70, 31}, float32, dense, spaced);
  add({70, 31}, float64, spaced, transposed);
}

/// What an op is called with on the CPU, and the same in those layouts on the device.
struct Operands {
  explicit Operands(size_t state) {
    add(number(0.05), dense);
    for_each_parameter([&](const Shape& shape, DType dtype, auto grads, auto others) {
      for (size_t k = 0; k < 2 + state; ++k) {
        const Tensor x = sample(shape, dtype, cpu.size());
        add(k < 2 ? x : abs(x) + 0.5, k == 1 ? Layout(grads) : Layout(others));
      }
      add(number(static_cast<double>(cpu.size() % 3)), dense);
    });
  }
  void add(const Tensor& x, const Layout& layout) {
    cpu.push_back(x);
    device.push_back(layout(x.cuda()));
  }

  Tensors cpu, device;
};

/// The steps of Adam divide by powers, whose last bit may differ.
template <class T>
void expect_same_as_cpu(const T& op, double tolerance) {
  const Operands operands(T::writes_period - 3);
  for (int t = 0; t < 2; ++t) {
    dispatch(Model(op), operands.cpu);
    dispatch(Model(op), operands.device);
  }
  for (size_t i = 0; i < operands.cpu.size(); ++i) {
    const Tensor got = operands.device[i].cpu(), &expected = operands.cpu[i];
    SCOPED_TRACE(testing::Message() << "operand " << i << " " << to_string(got.shape()));
    if (tolerance == 0) {
      expect_same_bits(got, expected);
    } else {
      expect_close(got, array_of(expected), expected.dtype() == float32 ? tolerance : 1e-14);
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST_F(CudaUpdate, GivesTheBitsOfTheCpu) {
  if (cpu::isa() == cpu::Isa::sse2) GTEST_SKIP() << "which rounds products before sums";
  expect_same_as_cpu(SgdStep{}, 0);
  expect_same_as_cpu(SgdStep{0.9, 0.25, 0.01, false}, 0);
  expect_same_as_cpu(SgdStep{0.9, 0, 0, true}, 0);
}

TEST_F(CudaUpdate, MatchesTheCpu) {
  expect_same_as_cpu(AdamStep{}, 2e-7);
  expect_same_as_cpu(AdamStep{.weight_decay = 0.1, .amsgrad = true}, 2e-7);
}

/// Operands of 16 bits, and the same in float32.
struct ShortOperands {
  explicit ShortOperands(size_t state) {
    add(number(0.05).cuda());
    const DType dtypes[][2] = {
        {float16, float16}, {bfloat16, bfloat16}, {float32, float16}, {float32, bfloat16}};
    for (const auto [param, grad] : dtypes) {
      add_parameter(state, {4096 * 2 + 13}, param, grad, dense, dense);
      add_parameter(state, {1000, 9}, param, grad, shifted, dense);
      add_parameter(state, {90, 7}, param, grad, transposed, dense);
      add_parameter(state, {9, 70}, param, grad, dense, spaced);
      for (int64_t i = 0; i < 20; ++i) add_parameter(state, {i}, param, grad, dense, dense);
    }
  }
  void add_parameter(size_t state, const Shape& shape, DType param, DType grad,
                     const Layout& of_grad, const Layout& of_others) {
    for (size_t k = 0; k < 2 + state; ++k) {
      const Tensor x = sample(shape, float32, wide.size());
      const Tensor y = (k < 2 ? x : abs(x) + 0.5).to(k == 1 ? grad : param).cuda();
      add((k == 1 ? of_grad : of_others)(y));
    }
    add(number(static_cast<double>(wide.size() % 3)).cuda());
  }
  void add(const Tensor& x) {
    wide.push_back(is_half(x.dtype()) ? x.to(float32) : x.clone());
    as_is.push_back(x);
  }

  Tensors wide, as_is;
};

template <class T>
void expect_bits_of_widened(const T& op) {
  const ShortOperands operands(T::writes_period - 3);
  dispatch(Model(op), operands.wide);
  dispatch(Model(op), operands.as_is);
  for (size_t i = 0; i < operands.wide.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "operand " << i);
    const Tensor& got = operands.as_is[i];
    expect_same_bits(got.cpu(), operands.wide[i].to(got.dtype()).cpu());
  }
}

TEST_F(CudaUpdate, SixteenBitsHaveTheBitsOfWidenedOnes) {
  expect_bits_of_widened(SgdStep{.weight_decay = 0.01});
  expect_bits_of_widened(SgdStep{0.9, 0.25, 0.01, true});
  expect_bits_of_widened(AdamStep{});
  expect_bits_of_widened(AdamStep{.weight_decay = 0.1, .amsgrad = true});
  const SgdStep op{};
  const Meta p({3}, bfloat16, Device::cuda()), lr({}, float64, Device::cuda());
  const std::array metas{lr, p, p, Meta({0}, bfloat16, Device::cuda()), lr};
  EXPECT_EQ(Model(op).workspace(metas, Device::cuda()), op.workspace(metas, Device::cuda()));
}

TEST_F(CudaUpdate, UnscalesWithTheBitsOfTheCpu) {
  Tensors here{full({}, 3.0)}, there;
  std::vector<Layout> layouts{dense};
  const auto add = [&](const Shape& shape, DType dtype, auto layout, auto) {
    here.push_back(sample(shape, dtype, here.size()));
    layouts.emplace_back(layout);
  };
  for_each_parameter(add);
  for (const DType dtype : {float16, bfloat16}) {
    add({4096 * 2 + 13}, dtype, dense, dense);
    add({1000, 9}, dtype, shifted, dense);
    add({9, 70, 31}, dtype, transposed, dense);
  }
  for (size_t i = 0; i < here.size(); ++i) there.push_back(layouts[i](here[i].cuda()));
  const auto unscale = [](const Tensors& in) {
    return dispatch(Model(Unscale{}), in).front().item<float>();
  };
  EXPECT_EQ(unscale(here), 0);
  EXPECT_EQ(unscale(there), 0);
  for (size_t i = 0; i < here.size(); ++i) expect_same_bits(there[i].cpu(), here[i]);
  for (size_t i = 1; i < here.size(); ++i) {  // one bad value, the last of a gradient
    if (here[i].numel() == 0 || (i > 10 && i < 595)) continue;
    Tensor last = there[i];
    while (last.dim() > 0) last = select(last, 0, -1);
    const float before = last.item<float>();
    last.fill_(i % 2 == 0 ? INFINITY : NAN);
    EXPECT_EQ(unscale(there), 1) << i;
    last.fill_(before);
  }
}

TEST_F(CudaUpdate, CarriesNaNAsTheCpu) {
  const double nan = std::nan("");
  for (const int64_t at : {0, 1, 2, 3, 4}) {
    Tensors here{number(0.1)}, there;
    for (int64_t k = 0; k < 5; ++k) here.push_back(full({3}, k == at ? nan : 1.0));
    here.push_back(number(1));
    for (const Tensor& x : here) there.push_back(x.cuda());
    dispatch(Model(AdamStep{.amsgrad = true}), here);
    dispatch(Model(AdamStep{.amsgrad = true}), there);
    for (size_t k = 1; k < 6; ++k) {
      EXPECT_EQ(std::isnan(there[k][0].item<double>()), std::isnan(here[k][0].item<double>()))
          << at << " " << k;
    }
  }
}

/// The rate and the counts are read where they lie, when the graph runs.
TEST_F(CudaUpdate, FollowsAScheduleInAGraph) {
  const AdamStep op{};
  Tensors here{number(0)}, there;
  for (size_t k = 0; k < 5; ++k) here.push_back(abs(sample({5000}, float32, k)));
  here.push_back(number(0));
  std::vector<View> views;
  Metas metas;
  for (const Tensor& x : here) there.push_back(x.cuda());
  for (const Tensor& x : there) {
    views.push_back({x.raw_data(), &x.meta()});
    metas.push_back(x.meta());
  }
  const auto bytes = static_cast<int64_t>(op.workspace(metas, Device::cuda()));
  const Tensor workspace = empty({bytes}, {.dtype = uint8, .device = Device::cuda()});
  cuda::synchronize();

  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  op.cuda({.in = views, .out = {}, .workspace = workspace.raw_data(), .stream = {stream}});
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  for (const double rate : {0.1, 0.01, 0.001}) {
    here[0].fill_(rate);
    there[0].fill_(rate);
    cuda::synchronize();
    dispatch(Model(op), here);
    ASSERT_EQ(cudaGraphLaunch(exec, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    expect_close(there[1].cpu(), array_of(here[1]), 2e-7);
  }
  EXPECT_EQ(there[6].item<double>(), 3);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(CudaUpdate, KeepsWhatOptimizersRememberOnTheDevice) {
  Tensor here = sample({7});
  here.requires_grad_();
  Tensor there = here.detach().cuda();
  there.requires_grad_();
  optim::Adam a({here}, {.lr = 0.1}), b({there}, {.lr = 0.1});
  optim::StepLR schedule_a(a, 1), schedule_b(b, 1);
  for (int t = 0; t < 3; ++t) {
    here.set_grad(sample({7}, float32, 5));
    there.set_grad(sample({7}, float32, 5).cuda());
    a.step(), b.step();
    schedule_a.step(), schedule_b.step();
  }
  EXPECT_EQ(a.lr(), b.lr());
  for (const Tensor& x : b.state()) EXPECT_EQ(x.device(), Device::cuda());
  expect_close(there.detach().cpu(), array_of(here.detach()), 2e-7);
}

TEST_F(CudaUpdate, SkippedStepsChangeNothing) {
  for (const auto layout : {dense, transposed}) {
    const Tensor start = rand({60, 100}).cuda();
    const Tensor p = layout(start.clone()).detach().requires_grad_();
    p.set_grad(rand({60, 100}).cuda());
    optim::Adam optimizer({p}, {.lr = 0.1});
    const auto step = [&](double skip) {
      optimizer.step(full({}, skip, {.device = Device::cuda()}));
      return p.to_vector<float>();
    };
    const auto once = step(0);
    EXPECT_NE(once, start.to_vector<float>());
    std::vector<std::vector<double>> state;
    for (const Tensor& t : optimizer.state()) state.push_back(t.to_vector<double>());
    EXPECT_EQ(step(1), once);
    for (size_t i = 0; i < state.size(); ++i) {
      EXPECT_EQ(optimizer.state()[i].to_vector<double>(), state[i]) << i;
    }
    EXPECT_NE(step(0), once);
  }
}

}  // namespace
}  // namespace reprise
