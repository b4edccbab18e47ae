// Fusions of 16-bit values: a CUDA device's kernels round where the single ops do, so graphs keep
// their bits; those of the CPU, which are widened, would not, so the graph is left alone.

#include "../../../autograd/tape.h"
#include "../../../core/ops/memory_format.h"
#include "../../../core/random.h"
#include "../../core/on_device.h"
#include "../replay.h"
#include "builder.h"

namespace reprise::test {
namespace {

struct HalfCase {
  std::string fused;  // the call that is made
  Tensor (*f)(const Tensors& in);
  bool on_cpu = false;  // too, where nothing is rounded in between
};

Tensor conv(const Tensors& in) { return conv2d(in[0], in[1], in[2], {.padding = 1}); }
Tensor residual(const Tensors& in) { return in[3] + conv(in); }
Tensor scaled(const Tensors& in) {
  const Tensor scale = in[2].view({1, 16, 1, 1}), shift = in[4].view({1, 16, 1, 1});
  return conv2d(in[0], in[1], {}, {.padding = 1}) * scale + shift;
}
Tensor picked_gradient(const Tensors& in) {
  const Tensor leaf = in[3].detach().requires_grad_();
  const Tensor at = full({4, 1, 6, 6}, 3, {.dtype = int64, .device = leaf.device()});
  const Tensor g = in[3].slice(1, 0, 1);
  (gather(log_softmax(leaf, 1), 1, at) * g).sum().backward();
  return leaf.grad();
}

const HalfCase kCases[] = {
    {"fused_conv2d", residual},
    {"fused_conv2d", [](const Tensors& in) { return relu(residual(in)); }},
    {"fused_conv2d", [](const Tensors& in) { return tanh(conv(in)); }},
    {"fused_conv2d", [](const Tensors& in) { return sigmoid(residual(in)); }},
    {"fused_conv2d", [](const Tensors& in) { return gelu(conv(in)); }},
    {"fused_conv2d", [](const Tensors& in) { return gelu(residual(in), "tanh"); }},
    {"fused_conv2d", scaled},
    {"fused_conv2d", [](const Tensors& in) { return tanh(scaled(in) + in[3]); }},
    {"log_softmax_gather_grad", picked_gradient, true},
};

Tensors operands(Device device, DType dtype, MemoryFormat format) {
  manual_seed(5);
  Tensors out;
  for (const Shape& shape : {Shape{4, 8, 6, 6}, {16, 8, 3, 3}, {16}, {4, 16, 6, 6}, {16}}) {
    const Tensor x = randn(shape).to(dtype).to(device);
    out.push_back(shape.dim() == 4 ? x.to(format) : x);
  }
  return out;
}

void expect_bits(const HalfCase& c, Device device, DType dtype, MemoryFormat format) {
  const Tensors in = operands(device, dtype, format);
  const auto compiled = [&](const std::string& passes) {
    const auto f = [&](const Tensors& x) { return Tensors{c.f(x)}; };
    return compile(f, std::vector<Example>(in.begin(), in.end()), {.passes = passes});
  };
  Program single = compiled("dead_code,algebra,common_subexpressions");
  Program fused = compiled("dead_code,algebra,common_subexpressions,fuse");
  const Tensor expected = single.call(in)[0].cpu(), got = fused.call(in)[0].cpu();
  EXPECT_EQ(difference(got, expected), "");
  const bool found = calls(fused.graph()).find(c.fused) != std::string::npos;
  EXPECT_EQ(found, c.on_cpu || device.kind == Device::Kind::cuda) << calls(fused.graph());
}

class FuseHalf : public OnEachDevice {};
REPRISE_ON_EACH_DEVICE(FuseHalf);

TEST_P(FuseHalf, KeepsTheBitsOfRoundedSteps) {
  for (const DType dtype : {float16, bfloat16}) {
    for (const MemoryFormat format : {contiguous_format, channels_last}) {
      for (size_t i = 0; i < std::size(kCases); ++i) {
        SCOPED_TRACE(text("case ", i, " ", dtype, " ", format));
        expect_bits(kCases[i], device(), dtype, format);
      }
    }
  }
}

}  // namespace
}  // namespace reprise::test
