// Products through cuBLASLt, which the emulated device plays: what kernels/cuda tells it is
// allowed, and the results are the CPU's. Operands are whole numbers, whose sums are exact in any
// order.

#include "blas.h"

#include <cmath>

#include "../../autograd/tape.h"
#include "../../core/cuda.h"
#include "../../core/dispatch.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/random.h"
#include "../../graph/training_step.h"
#include "../../kernels/cuda/handles.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "../core/expect.h"
#include "../kernels/op_testing.h"
#include "../op_rows/row_inputs.h"

namespace reprise {
namespace {

using emulator::PlayedBlas;
using op_testing::sample;
using test::expect_error;
using test::expect_tensor;

Tensor whole(const Shape& shape, DType dtype, uint64_t seed) {
  return (sample(shape, float64, seed) * 2).to(int64).to(dtype);
}

class EmulatedCudaBlas : public testing::Test {
 protected:
  EmulatedCudaBlas() { PlayedBlas::misuses(); }
  ~EmulatedCudaBlas() override { EXPECT_EQ(PlayedBlas::misuses(), ""); }

  /// f of tensors on the device is f of them on the CPU, and made of `products` products.
  template <class F>
  static void expect_same(F f, const Tensors& in, int products = 1, double tolerance = 0) {
    const NoGradGuard no_grad;
    Tensors there;
    for (const Tensor& x : in) there.push_back(x.cuda());
    const int before = PlayedBlas::products();
    const Tensor got = f(there);
    EXPECT_EQ(PlayedBlas::products() - before, products);
    expect_tensor(got.cpu().to(float64), f(in).to(float64), tolerance);
  }

  PlayedBlas played_;
};

constexpr DType kFloats[] = {float32, float64, float16, bfloat16};

TEST_F(EmulatedCudaBlas, IsThereWhileItIsPlayed) {
  EXPECT_TRUE(cuda::has_blas());
  EXPECT_EQ(&cuda::blas(), cuda::played_blas.load());
}

TEST_F(EmulatedCudaBlas, MultipliesInAllDTypesAndLayouts) {
  const auto product = [](const Tensors& x) { return matmul(x[0], x[1]); };
  const auto turned = [](const Tensors& x) { return matmul(x[0].mT(), x[1].mT()); };
  const auto part = [](const Tensors& x) {
    return matmul(x[0].slice(-1, 0, 4), x[1].slice(-2, 1, 5));
  };
  const auto apart = [](const Tensors& x) {  // neither rows nor columns are dense
    return matmul(x[0].slice(-1, 0, {}, 2), x[1].slice(-2, 0, {}, 2));
  };
  for (const DType dtype : kFloats) {
    for (const auto [m, n, k] :
         {std::array<int64_t, 3>{1, 1, 1}, {17, 9, 5}, {1, 8, 16}, {32, 1, 8}, {16, 24, 32}}) {
      SCOPED_TRACE(testing::Message() << to_string(dtype) << ' ' << m << ' ' << n << ' ' << k);
      expect_same(product, {whole({m, k}, dtype, 1), whole({k, n}, dtype, 2)});
      expect_same(turned, {whole({k, m}, dtype, 1), whole({n, k}, dtype, 2)});
    }
    expect_same(part, {whole({6, 7}, dtype, 1), whole({7, 8}, dtype, 2)});
    expect_same(apart, {whole({6, 8}, dtype, 1), whole({8, 5}, dtype, 2)}, 0);
    expect_same(product, {whole({3, 6, 7}, dtype, 1), whole({3, 7, 8}, dtype, 2)});
    expect_same(turned, {whole({3, 7, 6}, dtype, 1), whole({3, 8, 7}, dtype, 2)});
    const auto shared = [](const Tensors& x) {
      return matmul(x[0], x[1].expand({3, x[1].size(0), x[1].size(1)}));
    };
    expect_same(shared, {whole({3, 6, 7}, dtype, 1), whole({7, 8}, dtype, 2)});
  }
}

TEST_F(EmulatedCudaBlas, AddsBiasAndActivates) {
  for (const DType dtype : kFloats) {
    const Tensors in{whole({6, 8}, dtype, 1), whole({16, 8}, dtype, 2), whole({16}, dtype, 3)};
    expect_same([](const Tensors& x) { return linear(x[0], x[1]); }, in);
    expect_same([](const Tensors& x) { return linear(x[0], x[1], x[2]); }, in);
    const Tensors late{in[0], in[1], whole({17}, dtype, 3)};  // a bias that is not at 16 bytes
    expect_same([](const Tensors& x) { return linear(x[0], x[1], x[2].slice(0, 1)); }, late, 0);
    for (const Activation activation : {Activation::none, Activation::relu, Activation::sigmoid}) {
      const auto fused = [&](const Tensors& x) {
        return apply(FusedLinear{activation}, x[0], x[1], x[2]);
      };
      const double rounding = dtype == bfloat16 ? 0x1p-8 : dtype == float16 ? 0x1p-11 : 1e-6;
      expect_same(fused, in, 1, activation == Activation::sigmoid ? rounding : 0);
    }
  }
  EXPECT_GT(PlayedBlas::products(CUBLASLT_EPILOGUE_BIAS), 0);
}

TEST_F(EmulatedCudaBlas, GivesFusedProductsTheBitsOfSingleOnes) {
  const Tensor x = sample({20, 48}).cuda(), w = sample({32, 48}, float32, 2).cuda();
  const Tensor bias = sample({32}, float32, 3).cuda();
  const Tensor fused = apply(FusedLinear{Activation::relu}, x, w, bias);
  expect_tensor(fused.cpu(), relu(linear(x, w, bias)).cpu());
  const Tensor gx = matmul(fused, w), masked = apply(FusedLinearInputGrad{}, fused, w, x);
  expect_tensor(masked.cpu(), apply(ReluGrad{}, gx, x).cpu());
}

/// The library's ReLU would hide NaN.
TEST_F(EmulatedCudaBlas, KeepsNaN) {
  Tensor x = whole({6, 8}, float32, 1);
  x.data<float>()[11] = std::nanf("");
  expect_same(
      [](const Tensors& in) { return apply(FusedLinear{Activation::relu}, in[0], in[1], in[2]); },
      {x, whole({16, 8}, float32, 2), whole({16}, float32, 3)});
}

/// What the library makes of activations is for those who allow TF32.
TEST_F(EmulatedCudaBlas, LeavesActivationsToTheLibraryWhereTF32IsAllowed) {
  const Tensors in{whole({6, 8}, float32, 1), whole({16, 8}, float32, 2), whole({16}, float32, 3)};
  const Tensors back{whole({6, 16}, float32, 4), whole({16, 8}, float32, 2), sample({6, 8})};
  const Tensors narrow{whole({6, 16}, float32, 4), whole({16, 6}, float32, 2), sample({6, 6})};
  struct Case {
    cublasLtEpilogue_t epilogue;
    std::function<Tensor(const Tensors&)> f;
    const Tensors& in;
    int expected;
  };
  const auto forward = [](FusedLinear op, size_t k) {
    return [=](const Tensors& x) { return dispatch(Model(op), x)[k]; };
  };
  const auto grad = [](const Tensors& x) {
    return apply(FusedLinearInputGrad{Activation::gelu_tanh}, x[0], x[1], x[2]);
  };
  const Case cases[] = {
      {CUBLASLT_EPILOGUE_RELU_BIAS, forward({Activation::relu}, 0), in, 1},
      {CUBLASLT_EPILOGUE_GELU_BIAS, forward({Activation::gelu_tanh}, 0), in, 1},
      {CUBLASLT_EPILOGUE_GELU_BIAS, forward({Activation::gelu}, 0), in,
       0},  // not the approximation
      {CUBLASLT_EPILOGUE_GELU_AUX_BIAS, forward({Activation::gelu_tanh, true}, 0), in, 1},
      {CUBLASLT_EPILOGUE_GELU_AUX_BIAS, forward({Activation::gelu_tanh, true}, 1), in, 1},
      {CUBLASLT_EPILOGUE_DGELU, grad, back, 1},
      {CUBLASLT_EPILOGUE_DGELU, grad, narrow, 0},  // rows that are no multiple of 8 elements
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.epilogue);
    for (const bool allowed : {false, true}) {
      cuda::set_allow_tf32(allowed);
      const int before = PlayedBlas::products(c.epilogue);
      expect_same(c.f, c.in, 1, 2e-3);
      EXPECT_EQ(PlayedBlas::products(c.epilogue) - before, allowed ? c.expected : 0);
    }
    cuda::set_allow_tf32(false);
  }
}

TEST_F(EmulatedCudaBlas, MasksGradientsOnTheWay) {
  const auto grad = [](const Tensors& x) {
    return apply(FusedLinearInputGrad{}, x[0], x[1], x[2]);
  };
  for (const DType dtype : kFloats) {
    for (const auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 2},
                                 {17, 9, 5},
                                 {16, 24, 32},
                                 {5, 128, 4},
                                 {3, 300, 6},
                                 {4, 5, 1}}) {
      SCOPED_TRACE(testing::Message() << to_string(dtype) << ' ' << m << ' ' << n << ' ' << k);
      const Tensor y = whole({m, n}, dtype, 3);  // zeros among them
      const int before = PlayedBlas::products(CUBLASLT_EPILOGUE_DRELU);
      expect_same(grad, {whole({m, k}, dtype, 1), whole({k, n}, dtype, 2), y});
      EXPECT_EQ(PlayedBlas::products(CUBLASLT_EPILOGUE_DRELU) - before, k > 1);
    }
  }
}

TEST_F(EmulatedCudaBlas, SumsGradientsOfABiasOnTheWay) {
  for (const DType dtype : kFloats) {
    const int before = PlayedBlas::products(CUBLASLT_EPILOGUE_BGRADB);
    for (const int k : {0, 1}) {
      const auto grads = [&](const Tensors& x) {
        return dispatch(Model(LinearWeightGrad{}), x)[static_cast<size_t>(k)];
      };
      expect_same(grads, {whole({9, 6}, dtype, 1), whole({9, 7}, dtype, 2)});
      expect_same(grads, {whole({6, 16}, dtype, 1).t(), whole({8, 16}, dtype, 2).t()});
      const auto of_one_row = [&](const Tensors& x) { return grads({x[0].expand({9, 6}), x[1]}); };
      expect_same(of_one_row, {whole({1, 6}, dtype, 1), whole({9, 7}, dtype, 2)}, 0);
    }
    EXPECT_EQ(PlayedBlas::products(CUBLASLT_EPILOGUE_BGRADB) - before, 4);
  }
}

/// TF32 rounds what is multiplied, not what is only added up.
TEST_F(EmulatedCudaBlas, SumsGradientsOfABiasInFloat32WhereTF32IsAllowed) {
  const Tensor gy = full({8, 4}, 1 + 0x1p-20).cuda(), x = whole({8, 6}, float32, 2).cuda();
  const int before = PlayedBlas::products();
  cuda::set_allow_tf32(true);
  const Tensors got = dispatch(Model(LinearWeightGrad{}), Tensors{gy, x});
  cuda::set_allow_tf32(false);
  EXPECT_EQ(PlayedBlas::products() - before, 1);
  expect_tensor(got[1].cpu(), full({4}, 8 * (1 + 0x1p-20)));
}

TEST_F(EmulatedCudaBlas, RunsTheRowsOfProducts) {
  for (const op_rows::OpRow& row : op_rows::all_rows()) {
    if (row.name != "matmul" && row.name != "linear" && row.name != "fused_linear" &&
        row.name != "linear_weight_grad" && row.name != "fused_linear_input_grad")
      continue;
    SCOPED_TRACE(row.name);
    for (const DType dtype : kFloats) {
      const double tolerance = is_half(dtype)     ? 4 * op_rows::rounding_of(dtype)
                               : dtype == float32 ? 1e-5
                                                  : 1e-12;
      const Tensors in = op_rows::draw_all(row.operands, dtype);
      expect_same([&](const Tensors& x) { return row.f(x)[0]; }, in, 1, 8 * tolerance);
    }
  }
}

TEST_F(EmulatedCudaBlas, ReadsTF32WhereItIsAllowed) {
  const Tensor a = sample({8, 16}).cuda(), b = (sample({16, 8}, float32, 2) * 1.0001).cuda();
  const Tensor exact = matmul(a, b);
  cuda::set_allow_tf32(true);
  const Tensor cut = matmul(a, b);
  cuda::set_allow_tf32(false);
  EXPECT_GT((exact - cut).abs().max().cpu().item<float>(), 0);
  expect_tensor(cut.cpu(), exact.cpu(), 0.05);
}

/// A step of training, eager and compiled, the latter as one captured graph from its second run on.
TEST_F(EmulatedCudaBlas, TrainsAsTheCpuDoes) {
  const auto train = [](Device device, bool compiled) {
    manual_seed(3);
    nn::Sequential model(nn::Linear(12, 16), nn::ReLU(), nn::Linear(16, 8), nn::GELU("tanh"),
                         nn::Linear(8, 4));
    model.to(device);
    optim::SGD sgd(model.parameters(), {.lr = 0.05});
    const Tensor x = sample({10, 12}).to(device), wanted = sample({10, 4}, float32, 2).to(device);
    const auto loss_of = [](const Tensor& y, const Tensor& to) { return mse_loss(y, to); };
    if (compiled) {
      TrainingStep step = compile_training_step(model, loss_of, sgd, {x, wanted});
      for (int i = 0; i < 10; ++i) step(x, wanted);
      const std::string report = step.program().replay();
      EXPECT_EQ(report.find("one CUDA graph") == 0, device != Device::cpu()) << report;
    } else {
      for (int i = 0; i < 10; ++i) {
        sgd.zero_grad();
        loss_of(model(x), wanted).backward();
        sgd.step();
      }
    }
    return model(x).detach().cpu();
  };
  const Tensor expected = train(Device::cpu(), false), eager = train(Device::cuda(), false);
  expect_tensor(train(Device::cpu(), true), expected);
  expect_tensor(eager, expected, 1e-5);
  expect_tensor(train(Device::cuda(), true), eager);
  cuda::set_allow_tf32(true);
  const Tensor fast = train(Device::cuda(), true);
  cuda::set_allow_tf32(false);
  expect_tensor(fast, expected, 0.05);
}

/// What was captured with cuBLASLt is captured anew without it.
TEST(EmulatedCudaBlasReplay, EndsWithTheLibrary) {
  const Tensor x = whole({6, 8}, float32, 1), w = whole({8, 4}, float32, 2);
  const Tensor there = x.cuda(), weight = w.cuda(), expected = matmul(x, w);
  std::optional<PlayedBlas> played(std::in_place);
  Program program = compile([&](const Tensor& a) { return matmul(a, weight); }, {there});
  const auto products_of_four = [&] {
    const int before = PlayedBlas::products();
    for (int i = 0; i < 4; ++i) expect_tensor(program(there).cpu(), expected);
    EXPECT_EQ(program.replay().find("one CUDA graph"), 0U) << program.replay();
    return PlayedBlas::products() - before;
  };
  EXPECT_GT(products_of_four(), 0);
  played.reset();
  EXPECT_EQ(products_of_four(), 0);
  played.emplace();
  EXPECT_GT(products_of_four(), 0);
}

// ---- what it refuses --------------------------------------------------------------------------

TEST(EmulatedCudaBlasRules, AreThoseOfTheDocumentation) {
  const PlayedBlas played;
  const cuda::BlasLibrary& blas = cuda::blas();
  cublasLtMatmulDesc_t op = nullptr;
  EXPECT_NE(blas.cublasLtMatmulDescCreate(&op, CUBLAS_COMPUTE_32F, CUDA_R_64F),
            CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(blas.cublasLtMatmulDescCreate(&op, CUBLAS_COMPUTE_32F, CUDA_R_32F),
            CUBLAS_STATUS_SUCCESS);
  const int64_t wide = 0;
  EXPECT_NE(
      blas.cublasLtMatmulDescSetAttribute(op, CUBLASLT_MATMUL_DESC_TRANSA, &wide, sizeof wide),
      CUBLAS_STATUS_SUCCESS);
  cublasLtMatrixLayout_t narrow = nullptr, square = nullptr;
  blas.cublasLtMatrixLayoutCreate(&narrow, CUDA_R_32F, 4, 4, 3);
  blas.cublasLtMatrixLayoutCreate(&square, CUDA_R_32F, 4, 4, 4);
  cublasLtMatmulPreference_t preference = nullptr;
  blas.cublasLtMatmulPreferenceCreate(&preference);
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const auto ask = [&](cublasLtMatrixLayout_t a) {
    return blas.cublasLtMatmulAlgoGetHeuristic(nullptr, op, a, square, square, square, preference,
                                               1, &result, &found);
  };
  EXPECT_EQ(ask(square), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(PlayedBlas::misuses(),
            "MatmulDescCreate: a scale of another type\n"
            "MatmulDescSetAttribute: an attribute of another size\n");
  EXPECT_NE(ask(narrow), CUBLAS_STATUS_SUCCESS);
  const cublasLtEpilogue_t biased = CUBLASLT_EPILOGUE_BIAS, masked = CUBLASLT_EPILOGUE_RELU_AUX;
  blas.cublasLtMatmulDescSetAttribute(op, CUBLASLT_MATMUL_DESC_EPILOGUE, &biased, sizeof biased);
  EXPECT_NE(ask(square), CUBLAS_STATUS_SUCCESS);
  blas.cublasLtMatmulDescSetAttribute(op, CUBLASLT_MATMUL_DESC_EPILOGUE, &masked, sizeof masked);
  EXPECT_NE(ask(square), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(PlayedBlas::misuses(),
            "MatmulAlgoGetHeuristic: a leading dimension below the rows, or nothing\n"
            "MatmulAlgoGetHeuristic: no bias\n"
            "MatmulAlgoGetHeuristic: no aux, or not at 16 bytes\n");
  blas.cublasLtMatmulPreferenceDestroy(preference);
  blas.cublasLtMatrixLayoutDestroy(narrow);
  blas.cublasLtMatrixLayoutDestroy(square);
  blas.cublasLtMatmulDescDestroy(op);
}

}  // namespace
}  // namespace reprise
