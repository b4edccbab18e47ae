// Every op of the golden files against PyTorch, in float64: outputs and gradients, eagerly, and
// replayed in a symbolic graph.

#include "../../autograd/engine.h"
#include "../../core/cuda.h"
#include "../../graph/model.h"
#include "golden_file.h"
#include "golden_ops.h"

namespace reprise {
namespace {

using test::Json;

// Absolute below 1, relative above. Sums of some hundred terms in another order than PyTorch's stay
// orders of magnitude below it.
constexpr double kTolerance = 1e-10;

class OpGoldens : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string path = test::golden_path(GetParam());
    if (path.empty()) GTEST_SKIP() << "REPRISE_SHARED is not set";
    file_ = load_safetensors(path);
    cases_ = Json::parse(file_.metadata.at("cases"));
  }

  /// Null when the file has no such tensor.
  const Tensor* find(const std::string& name) const {
    for (const auto& [key, tensor] : file_.tensors) {
      if (key == name) return &tensor;
    }
    return nullptr;
  }
  void expect_close(const Tensor& got, const std::string& name) const {
    const Tensor* expected = find(name);
    ASSERT_NE(expected, nullptr) << name;
    test::expect_close(got.cpu(), *expected, kTolerance, 1, name);
  }

  Tensors inputs(const std::string& name, const Json& golden, Device device = Device::cpu()) const {
    Tensors in;
    for (size_t i = 0; i < golden["inputs"].size(); ++i) {
      in.push_back(find(text(name, "/in", i))->clone().to(device));
      if (golden["differentiable"][i].get<bool>()) in[i].requires_grad_();
    }
    return in;
  }

  void check_gradients(const std::string& name, const Tensors& in, const Tensors& out) const {
    Tensors roots, weights, leaves;
    std::vector<const Tensor*> expected;
    for (size_t i = 0; i < out.size(); ++i) {
      const Tensor* weight = find(text(name, "/grad_out", i));
      if (weight == nullptr) continue;
      roots.push_back(out[i]);
      weights.push_back(weight->to(out[i].device()));
    }
    for (size_t i = 0; i < in.size(); ++i) {
      const Tensor* gradient = find(text(name, "/grad_in", i));
      if (gradient == nullptr) continue;
      leaves.push_back(in[i]);
      expected.push_back(gradient);
    }
    if (roots.empty()) return;
    const Tensors got = grad(roots, leaves, {.grad_outputs = weights});
    for (size_t i = 0; i < got.size(); ++i) {
      test::expect_close(got[i].cpu(), *expected[i], kTolerance, 1, text(name, " gradient ", i));
    }
  }

  /// Calls f(name, case, op) for every case whose op exists; an op in no list is a failure.
  template <class F>
  void for_each_case(F f) const {
    for (const Json& golden : cases_) {
      const std::string op = golden["op"], name = golden["name"];
      const auto found = test::golden_ops().find(op);
      const bool runs = found != test::golden_ops().end();
      EXPECT_NE(runs, test::missing_ops().contains(op)) << op << " must be in exactly one list";
      if (runs) f(name, golden, found->second);
    }
  }

  int check_cases(Device device) const {
    int ran = 0;
    for_each_case([&](const std::string& name, const Json& golden, const test::GoldenOp& op) {
      const Tensors in = inputs(name, golden, device), out = op(in, golden["attrs"]);
      ASSERT_EQ(out.size(), golden["outputs"].size()) << name;
      for (size_t i = 0; i < out.size(); ++i) expect_close(out[i], text(name, "/out", i));
      check_gradients(name, in, out);
      ++ran;
    });
    return ran;
  }

  SafeTensors file_;
  Json cases_;
};

TEST_P(OpGoldens, OutputsAndGradientsAreThoseOfPyTorch) {
  RecordProperty("cases", static_cast<int>(cases_.size()));
  RecordProperty("ran", check_cases(Device::cpu()));
}

TEST_P(OpGoldens, OutputsAndGradientsOnCudaAreThoseOfPyTorch) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  check_cases(Device::cuda());
}

TEST_P(OpGoldens, AGraphReplaysThemToTheBit) {
  for_each_case([&](const std::string& name, const Json& golden, const test::GoldenOp& op) {
    const Tensors in = inputs(name, golden), eager = op(in, golden["attrs"]);
    Tensors symbols;
    for (const Tensor& x : in) {
      symbols.push_back(Input({}, {.batch_shape = x.shape(), .dtype = x.dtype()}));
    }
    const SymbolicModel model(symbols, op(symbols, golden["attrs"]));
    const Tensors replayed = model.forward(in);
    for (size_t i = 0; i < eager.size(); ++i) {
      EXPECT_EQ(to_string(model.output_shapes()[i]), to_string(eager[i].shape())) << name;
      EXPECT_EQ(replayed[i].to_vector<double>(), eager[i].to_vector<double>()) << name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Files, OpGoldens,
                         testing::Values("elementwise", "reduce", "matmul", "movement", "conv",
                                         "pool", "norm_loss"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace reprise
