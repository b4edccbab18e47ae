// Known facts about the ops, computed by hand; PyTorch's rules for dtypes and broadcasting.

#include <limits>

#include "../../core/dispatch.h"
#include "../../core/ops/random.h"
#include "../../core/random.h"
#include "expect.h"

namespace reprise {
namespace {

using test::expect_tensor;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double nan = std::nan("");

// ---- Elementwise
// -----------------------------------------------------------------------------------

TEST(Elementwise, Unary) {
  const Tensor x = tensor({-2.0, 0.0, 0.5});
  expect_tensor(neg(x), tensor({2.0, -0.0, -0.5}));
  expect_tensor(abs(x), tensor({2.0, 0.0, 0.5}));
  expect_tensor(sign(x), tensor({-1.0, 0.0, 1.0}));
  expect_tensor(relu(x), tensor({0.0, 0.0, 0.5}));
  expect_tensor(clamp(x, -1, 0.25), tensor({-1.0, 0.0, 0.25}));
  expect_tensor(clamp(x, 0), tensor({0.0, 0.0, 0.5}));
  expect_tensor(exp(tensor({0.0, 1.0, -kInf})), tensor({1.0, 2.718281828, 0.0}), 1e-6);
  expect_tensor(log(tensor({1.0, 0.0, -1.0})), tensor({0.0, -kInf, nan}));
  expect_tensor(sqrt(tensor({9.0, 0.25, -1.0})), tensor({3.0, 0.5, nan}));
  expect_tensor(tanh(tensor({0.0, 0.5, 100.0})), tensor({0.0, 0.462117157, 1.0}), 1e-7);
  expect_tensor(sigmoid(tensor({0.0, 2.0, -1000.0})), tensor({0.5, 0.880797078, 0.0}), 1e-7);
  expect_tensor(relu(tensor({nan, -kInf})), tensor({nan, 0.0}));
  expect_tensor(clamp(tensor({nan, kInf}), 0, 1), tensor({nan, 1.0}));
}

TEST(Elementwise, Binary) {
  const Tensor a = tensor({6.0, -3.0}), b = tensor({2.0, 4.0});
  expect_tensor(a + b, tensor({8.0, 1.0}));
  expect_tensor(a - b, tensor({4.0, -7.0}));
  expect_tensor(a * b, tensor({12.0, -12.0}));
  expect_tensor(a / b, tensor({3.0, -0.75}));
  expect_tensor(pow(a, b), tensor({36.0, 81.0}), 1e-5);
  expect_tensor(maximum(a, b), tensor({6.0, 4.0}));
  expect_tensor(minimum(a, b), tensor({2.0, -3.0}));
  expect_tensor(maximum(tensor({nan, 1.0}), tensor({1.0, nan})), tensor({nan, nan}));
  expect_tensor(a / 0.0, tensor({kInf, -kInf}));
  expect_tensor(2 - a, tensor({-4.0, 5.0}));
  expect_tensor(-a, tensor({-6.0, 3.0}));
  expect_tensor(pow(a, 2), tensor({36.0, 9.0}));
  expect_tensor(pow(2, b), tensor({4.0, 16.0}), 1e-5);
}

TEST(Elementwise, ComparisonsAndWhere) {
  const Tensor a = tensor({1, 2, 3}), b = tensor({3, 2, 1});
  expect_tensor(a == b, tensor({false, true, false}));
  expect_tensor(a != b, tensor({true, false, true}));
  expect_tensor(a < b, tensor({true, false, false}));
  expect_tensor(a <= b, tensor({true, true, false}));
  expect_tensor(a > b, tensor({false, false, true}));
  expect_tensor(a >= 2, tensor({false, true, true}));
  expect_tensor(tensor({nan}) == tensor({nan}), tensor({false}));
  expect_tensor(where(a < b, a, b), tensor({1, 2, 1}));
  expect_tensor(where(a == 2, 0.5, tensor({1.0, 1.0, 1.0})), tensor({1.0, 0.5, 1.0}));
  expect_tensor(where(tensor({{true}, {false}}), a, 0), tensor({{1, 2, 3}, {0, 0, 0}}));
}

TEST(Elementwise, Broadcasting) {
  const Tensor column = tensor({{1}, {2}}), row = tensor({{10, 20, 30}});
  expect_tensor(column + row, tensor({{11, 21, 31}, {12, 22, 32}}));
  expect_tensor(column * tensor(3), tensor({{3}, {6}}));
  EXPECT_EQ((zeros({5, 1, 2}) + zeros({3, 1})).shape(), (Shape{5, 3, 2}));
  EXPECT_EQ((zeros({0, 3}) + zeros({1})).shape(), (Shape{0, 3}));
  EXPECT_EQ((zeros({1, 3}) * zeros({0, 1})).shape(), (Shape{0, 3}));
}

TEST(Elementwise, DtypesArePromotedAsInPyTorch) {
  const auto of = [](DType dtype) { return ones({2}, {.dtype = dtype}); };
  const std::vector<std::tuple<Tensor, DType, const char*>> rows{
      {of(int64) + of(float32), float32, "int64 + float32"},
      {of(float32) + of(float64), float64, "float32 + float64"},
      {of(uint8) + of(int32), int32, "uint8 + int32"},
      {of(bool_) + of(uint8), uint8, "bool + uint8"},
      {of(int64) + 1, int64, "int64 + 1"},
      {of(int64) + 0.5, float32, "int64 + 0.5"},
      {of(int32) * 2, int32, "int32 * 2"},
      {of(float32) * 2.5, float32, "float32 * 2.5"},
      {of(float64) - 1, float64, "float64 - 1"},
      {of(int64) / of(int64), float32, "int64 / int64"},
      {of(float64) / 3, float64, "float64 / 3"},
      {exp(of(int64)), float32, "exp(int64)"},
      {of(int32) < of(float32), bool_, "int32 < float32"},
      {sum(of(bool_)), int64, "sum(bool)"},
      {sum(of(uint8)), int64, "sum(uint8)"},
      {sum(of(float32)), float32, "sum(float32)"},
      {matmul(of(float32), of(float64)), float64, "matmul"},
      {cat({of(int32), of(float32)}), float32, "cat"},
      {where(of(bool_), of(int32), of(float32)), float32, "where"},
  };
  for (const auto& [x, dtype, what] : rows) EXPECT_EQ(x.dtype(), dtype) << what;
}

TEST(Elementwise, IntegersAndBools) {
  expect_tensor(tensor({7, -7}) / 2, tensor({3.5, -3.5}));
  expect_tensor(tensor({1, 2}) - tensor({3, 5}), tensor({-2, -3}));
  expect_tensor(relu(tensor({-1, 4})), tensor({0, 4}));
  expect_tensor(maximum(tensor({true, false}), tensor({false, false})), tensor({true, false}));
  expect_tensor(tensor({200}, {.dtype = uint8}) + tensor({100}, {.dtype = uint8}),
                tensor({44}, {.dtype = uint8}));  // modulo 256
  const int64_t large = (int64_t{1} << 53) + 1;   // no double holds it
  EXPECT_EQ((tensor({large}) + 1).item<int64_t>(), large + 1);
  EXPECT_EQ(sum(tensor({large, int64_t{1}})).item<int64_t>(), large + 1);
  EXPECT_EQ(max(tensor({large - 1, large})).item<int64_t>(), large);
}

// ---- Reductions
// ------------------------------------------------------------------------------------

TEST(Reduce, AllAndAnyAsInPyTorch) {
  const double nan = std::nan("");
  const Tensor x = tensor({{0.0, 0.0, -0.0}, {0.0, nan, 2.0}, {1.0, nan, -1.0}});
  expect_tensor(x.any(1), tensor({false, true, true}));
  expect_tensor(all(x, -1, true), tensor({{false}, {false}, {true}}));
  expect_tensor(x.all(), tensor(false));
  expect_tensor(any(x), tensor(true));
  expect_tensor(any(x.to(bool_), {0, 1}, true), tensor({{true}}));
  expect_tensor(all(empty({0, 2})), tensor(true));
  expect_tensor(any(empty({0, 2}), 0), tensor({false, false}));
  const Tensor bytes = tensor({{0, 3}, {128, 128}}, {.dtype = uint8});
  expect_tensor(bytes.all(1), tensor({0, 1}, {.dtype = uint8}));
  expect_tensor(bytes.any(), tensor(1, {.dtype = uint8}));
  for (const DType dtype : {float32, float64, int64, int32, bool_, float16, bfloat16}) {
    EXPECT_EQ(any(ones({2}, {.dtype = dtype})).dtype(), bool_) << to_string(dtype);
  }
}

TEST(Reduce, SumsAndMeans) {
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  expect_tensor(sum(x), tensor(21.0));
  expect_tensor(sum(x, 0), tensor({5.0, 7.0, 9.0}));
  expect_tensor(sum(x, -1, true), tensor({{6.0}, {15.0}}));
  expect_tensor(sum(x, {0, 1}), tensor(21.0));
  expect_tensor(mean(x), tensor(3.5));
  expect_tensor(mean(x, 1), tensor({2.0, 5.0}));
  expect_tensor(sum(zeros({2, 0}), 1), tensor({0.0, 0.0}));
  expect_tensor(mean(zeros({0})), tensor(nan));
  expect_tensor(sum(tensor({true, true, false})), tensor(2));
  EXPECT_NEAR(sum(full({10'000'000}, 0.1)).item<double>(), 1e6, 0.1);  // summed in pieces
}

TEST(Reduce, Extremes) {
  const Tensor x = tensor({{3.0, 9.0, 9.0}, {-1.0, -5.0, 2.0}});
  expect_tensor(max(x), tensor(9.0));
  expect_tensor(min(x), tensor(-5.0));
  const auto [largest, where_largest] = max(x, 1);
  expect_tensor(largest, tensor({9.0, 2.0}));
  expect_tensor(where_largest, tensor({1, 2}));  // the first of equals
  const auto [smallest, where_smallest] = min(x, 0, true);
  expect_tensor(smallest, tensor({{-1.0, -5.0, 2.0}}));
  expect_tensor(where_smallest, tensor({{1, 1, 1}}));
  expect_tensor(argmax(x), tensor(1));
  expect_tensor(argmin(x), tensor(4));
  expect_tensor(argmax(x, 0), tensor({0, 0, 0}));
  expect_tensor(max(tensor({1.0, nan, 2.0}), 0).indices, tensor(1));
  expect_tensor(max(tensor({1.0, nan, 2.0})), tensor(nan));
}

TEST(Reduce, Softmax) {
  const double third = 1.0 / 3, ln2 = std::log(2.0), ln3 = std::log(3.0);
  expect_tensor(softmax(tensor({{0.0, ln2}, {5.0, 5.0}}), 1),
                tensor({{third, 2 * third}, {0.5, 0.5}}), 1e-6);
  expect_tensor(log_softmax(tensor({0.0, ln2}), 0), tensor({-ln3, ln2 - ln3}), 1e-6);
  expect_tensor(softmax(tensor({1000.0, 1000.0, -1000.0}), 0), tensor({0.5, 0.5, 0.0}));
}

// ---- Products
// --------------------------------------------------------------------------------------

TEST(MatMul, FollowsPyTorchsRulesForRanks) {
  const Tensor a = tensor({{1.0, 2.0}, {3.0, 4.0}}), b = tensor({{5.0, 6.0}, {7.0, 8.0}}),
               v = tensor({1.0, -1.0});
  expect_tensor(matmul(a, b), tensor({{19.0, 22.0}, {43.0, 50.0}}));
  expect_tensor(matmul(a, v), tensor({-1.0, -1.0}));
  expect_tensor(matmul(v, a), tensor({-2.0, -2.0}));
  expect_tensor(matmul(v, v), tensor(2.0));
  expect_tensor(matmul(stack({a, b}), v), tensor({{-1.0, -1.0}, {-1.0, -1.0}}));
  const std::vector<std::array<Shape, 3>> shapes{
      {Shape{2, 1, 3, 4}, Shape{5, 4, 6}, Shape{2, 5, 3, 6}},
      {Shape{7, 3, 4}, Shape{4, 2}, Shape{7, 3, 2}},
      {Shape{3, 4}, Shape{7, 4, 2}, Shape{7, 3, 2}},
      {Shape{0, 4}, Shape{4, 2}, Shape{0, 2}},
      {Shape{3, 0}, Shape{0, 2}, Shape{3, 2}},
  };
  for (const auto& [left, right, out] : shapes) {
    EXPECT_EQ(to_string(matmul(zeros(left), zeros(right)).shape()), to_string(out));
  }
  expect_tensor(matmul(ones({2, 0}), ones({0, 1})), tensor({{0.0}, {0.0}}));  // an empty sum
}

TEST(MatMul, Linear) {
  const Tensor x = tensor({{1.0, 2.0}}), weight = tensor({{1.0, 1.0}, {0.0, -1.0}, {2.0, 0.5}});
  expect_tensor(linear(x, weight), tensor({{3.0, -2.0, 3.0}}));
  expect_tensor(linear(x, weight, tensor({10.0, 20.0, 30.0})), tensor({{13.0, 18.0, 33.0}}));
  EXPECT_EQ(linear(zeros({4, 5, 2}), weight).shape(), (Shape{4, 5, 3}));
  EXPECT_EQ(linear(zeros({2}), weight).shape(), (Shape{3}));
}

// ---- Images
// ----------------------------------------------------------------------------------------

TEST(Conv2d, Correlates) {
  expect_tensor(conv2d(tensor({{{1.0, 2.0, 3.0, 4.0}}}), tensor({{{{3.0, 2.0}}}})),
                tensor({{{7.0, 12.0, 17.0}}}));
  const Tensor x = tensor({{{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}, {7.0, 8.0, 9.0}}}}),
               w = tensor({{{{1.0, 0.0}, {0.0, -1.0}}}});
  expect_tensor(conv2d(x, w, tensor({0.5})), tensor({{{{-3.5, -3.5}, {-3.5, -3.5}}}}));
  expect_tensor(conv2d(x, w, {}, {.stride = 2, .padding = 1}),
                tensor({{{{-1.0, -3.0}, {-7.0, -4.0}}}}));
  expect_tensor(conv2d(x, w, {}, {.dilation = 2}), tensor({{{{-8.0}}}}));
}

TEST(Conv2d, GroupsKeepToTheirChannels) {
  const Tensor x = tensor({{{{1.0}}, {{2.0}}, {{3.0}}, {{4.0}}}}),
               w = tensor({{{{1.0}}, {{1.0}}}, {{{1.0}}, {{-1.0}}}});
  expect_tensor(conv2d(x, w, {}, {.groups = 2}), tensor({{{{3.0}}, {{-1.0}}}}));
}

TEST(Conv2d, Shapes) {
  struct Row {
    Shape x, weight;
    Conv2dOptions options;
    Shape out;
  };
  const std::vector<Row> rows{
      {{117, 4, 10, 13}, {5, 4, 2, 3}, {}, {117, 5, 9, 11}},
      {{1, 1, 20, 30}, {1, 1, 3, 3}, {.dilation = 4}, {1, 1, 12, 22}},
      {{2, 3, 32, 32}, {8, 3, 3, 3}, {.padding = 1}, {2, 8, 32, 32}},
      {{2, 3, 32, 32}, {8, 3, 7, 7}, {.stride = 2, .padding = 3}, {2, 8, 16, 16}},
      {{2, 6, 8, 8}, {6, 1, 3, 3}, {.groups = 6}, {2, 6, 6, 6}},
      {{2, 1, 9, 10}, {1, 1, 3, 2}, {.stride = {2, 1}, .padding = {0, 3}}, {2, 1, 4, 15}},
      {{0, 3, 8, 8}, {4, 3, 3, 3}, {}, {0, 4, 6, 6}},
      {{3, 8, 8}, {4, 3, 3, 3}, {}, {4, 6, 6}},
  };
  for (const Row& row : rows) {
    const Tensor y = conv2d(zeros(row.x), zeros(row.weight), {}, row.options);
    EXPECT_EQ(to_string(y.shape()), to_string(row.out));
  }
}

TEST(Pool2d, TakesTheLargestAndTheMean) {
  const Tensor x = tensor({{{{1.0, 2.0, 5.0}, {4.0, 3.0, 0.0}, {9.0, 8.0, 7.0}}}});
  expect_tensor(max_pool2d(x, 2), tensor({{{{4.0}}}}));
  expect_tensor(max_pool2d(x, 2, {.stride = 1}), tensor({{{{4.0, 5.0}, {9.0, 8.0}}}}));
  const auto [values, indices] = max_pool2d_with_indices(x, 2, {.ceil_mode = true});
  expect_tensor(values, tensor({{{{4.0, 5.0}, {9.0, 7.0}}}}));
  expect_tensor(indices, tensor({{{{3, 2}, {6, 8}}}}));                                 // h * W + w
  expect_tensor(max_pool2d(-x, 3, {.stride = 3, .padding = 1}), tensor({{{{-1.0}}}}));  // pads -inf
  expect_tensor(avg_pool2d(x, 2), tensor({{{{2.5}}}}));
  expect_tensor(avg_pool2d(x, 3), tensor({{{{39.0 / 9}}}}), 1e-6);
  expect_tensor(avg_pool2d(x, 2, {.padding = 1}), tensor({{{{0.25, 1.75}, {3.25, 4.5}}}}));
  expect_tensor(avg_pool2d(x, 2, {.padding = 1, .count_include_pad = false}),
                tensor({{{{1.0, 3.5}, {6.5, 4.5}}}}));
  expect_tensor(avg_pool2d(x, 2, {.divisor_override = 1}), tensor({{{{10.0}}}}));
  EXPECT_EQ(max_pool2d(zeros({2, 3, 10, 11}), {3, 2}, {.stride = 2, .padding = 1}).shape(),
            (Shape{2, 3, 5, 6}));
  EXPECT_EQ(max_pool2d(zeros({1, 1, 6, 7}), 1, {.stride = 2, .ceil_mode = true}).shape(),
            (Shape{1, 1, 3, 4}));
  EXPECT_EQ(avg_pool2d(zeros({3, 8, 8}), {4, 2}).shape(), (Shape{3, 2, 4}));
}

// ---- Normalisation, dropout, losses
// ------------------------------------------------------------------

TEST(BatchNorm, NormalisesAndTracks) {
  const Tensor x = tensor({{1.0, 10.0}, {3.0, 10.0}});
  const Tensor mean = zeros({2}), var = ones({2}), count = zeros({}, {.dtype = int64});
  const Tensor y = batch_norm(x, mean, var, {}, {}, {.training = true, .eps = 0.5}, count);
  const double s = 1 / std::sqrt(1.5);  // biased variance 1, and 0 in the other channel
  expect_tensor(y, tensor({{-s, 0.0}, {s, 0.0}}), 1e-6);
  expect_tensor(mean, tensor({0.2, 1.0}), 1e-7);
  expect_tensor(var, tensor({0.9 + 0.1 * 2, 0.9}), 1e-6);  // unbiased variances 2 and 0
  expect_tensor(count, tensor(1));
  expect_tensor(batch_norm(x, tensor({1.0, 0.0}), tensor({3.0, 0.0}), tensor({2.0, 1.0}),
                           tensor({0.0, 5.0}), {.eps = 1}),
                tensor({{0.0, 15.0}, {2.0, 15.0}}), 1e-6);
}

TEST(Dropout, KeepsOneMinusPAndScales) {
  manual_seed(1);
  const Tensor x = ones({10'000}), y = dropout(x, 0.25);
  const double kept = sum((y != 0).to(float64)).item<double>() / 1e4;
  EXPECT_NEAR(kept, 0.75, 0.02);
  expect_tensor(max(y), tensor(1 / 0.75), 1e-6);
  expect_tensor(dropout(x, 0.25, false), x);
  expect_tensor(dropout(x, 0), x);
  expect_tensor(dropout(x, 1), zeros({10'000}));
}

TEST(Dropout, DrawsWhenItRuns) {
  manual_seed(3);
  const Tensor x = ones({5}), first = dropout(x, 0.5);
  EXPECT_EQ(default_generator().offset(), 3U);  // blocks of two doubles
  (void)dropout(meta_tensor(x.meta()), 0.5);
  (void)rand({5}, {.device = Device::meta()});
  EXPECT_EQ(default_generator().offset(), 3U);
  const Tensor blocks = apply(RandomBlocks{5, Device::cpu()});
  expect_tensor(blocks, tensor({3, 3}));
  expect_tensor(apply(Dropout{0.5}, x, tensor({3, 0})), first);
  EXPECT_TRUE(Model(RandomBlocks{}).traits().effects);
  EXPECT_FALSE(Model(Dropout{}).traits().effects);
}

TEST(Dropout, KeepsTheBitsOfALargeSeed) {
  constexpr uint64_t seed = ~uint64_t{5};
  manual_seed(seed);
  const Tensor x = rand({3}, {.dtype = float64});
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(x.data<double>()[i], uniform_at<double>(seed, 0, i));
}

TEST(Loss, CrossEntropyAndMse) {
  const double ln2 = std::log(2.0), ln3 = std::log(3.0);
  const Tensor x = tensor({{0.0, ln2}, {0.0, 0.0}}), target = tensor({0, 1});
  // log-softmax: -ln 3 and ln 2 - ln 3; -ln 2 twice
  expect_tensor(cross_entropy(x, target), tensor((ln3 + ln2) / 2), 1e-6);
  expect_tensor(cross_entropy(x, target, {.reduction = Reduction::none}), tensor({ln3, ln2}), 1e-6);
  expect_tensor(cross_entropy(x, target, {.reduction = Reduction::sum}), tensor(ln3 + ln2), 1e-6);
  expect_tensor(cross_entropy(x, target, {.ignore_index = 1}), tensor(ln3), 1e-6);
  expect_tensor(cross_entropy(x, target, {.weight = tensor({3.0, 1.0})}),
                tensor((3 * ln3 + ln2) / 4), 1e-6);
  expect_tensor(cross_entropy(x, target, {.label_smoothing = 1}),
                tensor(((2 * ln3 - ln2) / 2 + ln2) / 2), 1e-6);
  const Tensor far = tensor({{-kInf, 0.0}, {0.0, 0.0}});
  expect_tensor(cross_entropy(far, tensor({-100, 1})), tensor(ln2), 1e-6);
  // Sums of 16 bits would overflow where their quotient does not.
  const Tensor many = zeros({70000, 2}, {.dtype = float16});
  expect_tensor(cross_entropy(many, zeros({70000}, {.dtype = int64})).to(float32), tensor(ln2),
                1e-3);
  EXPECT_THROW(cross_entropy(zeros({3, 0}), full({3}, -100)), Error);
  const Tensor p = tensor({1.0, 2.0}), q = tensor({4.0, 1.0});
  expect_tensor(mse_loss(p, q), tensor(5.0));
  expect_tensor(mse_loss(p, q, Reduction::sum), tensor(10.0));
  expect_tensor(mse_loss(p, q, Reduction::none), tensor({9.0, 1.0}));
}

// ---- Shapes
// ----------------------------------------------------------------------------------------

TEST(Shapes, Views) {
  const Tensor x = arange(24).reshape({2, 3, 4});
  EXPECT_EQ(x.reshape({4, -1}).shape(), (Shape{4, 6}));
  EXPECT_EQ(zeros({0, 4}).reshape({-1, 2}).shape(), (Shape{0, 2}));
  EXPECT_EQ(tensor(1).reshape({1, 1}).shape(), (Shape{1, 1}));
  EXPECT_EQ(x.flatten().shape(), (Shape{24}));
  EXPECT_EQ(x.flatten(1).shape(), (Shape{2, 12}));
  EXPECT_EQ(tensor(1).flatten().shape(), (Shape{1}));
  EXPECT_EQ(x.transpose(0, -1).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(x.permute({2, 0, 1}).shape(), (Shape{4, 2, 3}));
  expect_tensor(x.permute({2, 0, 1})[1], tensor({{1, 5, 9}, {13, 17, 21}}));
  EXPECT_EQ(x.unsqueeze(-1).unsqueeze(0).shape(), (Shape{1, 2, 3, 4, 1}));
  EXPECT_EQ(x.unsqueeze(-1).unsqueeze(0).squeeze().shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(x.squeeze(1).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(x.select(1, -1).shape(), (Shape{2, 4}));
  expect_tensor(tensor({{1}, {2}}).expand({-1, 3}), tensor({{1, 1, 1}, {2, 2, 2}}));
  expect_tensor(tensor({{1, 2}, {3, 4}}).t(), tensor({{1, 3}, {2, 4}}));
}

TEST(Shapes, SlicesClampAsInPython) {
  const Tensor x = arange(6);
  expect_tensor(x.slice(0, 1, 4), tensor({1, 2, 3}));
  expect_tensor(x.slice(0, -2), tensor({4, 5}));
  expect_tensor(x.slice(0, 0, -1, 2), tensor({0, 2, 4}));
  expect_tensor(x.slice(0, 1, 100, 4), tensor({1, 5}));
  expect_tensor(x.slice(0, -100, 2), tensor({0, 1}));
  EXPECT_EQ(x.slice(0, 4, 2).shape(), (Shape{0}));
}

TEST(Shapes, JoiningAndGathering) {
  const Tensor a = tensor({{1, 2}}), b = tensor({{3, 4}, {5, 6}});
  expect_tensor(cat({a, b}), tensor({{1, 2}, {3, 4}, {5, 6}}));
  expect_tensor(cat({b, b}, -1), tensor({{3, 4, 3, 4}, {5, 6, 5, 6}}));
  expect_tensor(cat({a, zeros({0, 2}, {.dtype = int64})}), a);
  expect_tensor(stack({a[0], b[1]}, 1), tensor({{1, 5}, {2, 6}}));
  expect_tensor(gather(b, 1, tensor({{1, 0}, {0, 0}})), tensor({{4, 3}, {5, 5}}));
  expect_tensor(gather(b, 0, tensor({{1, 0}})), tensor({{5, 4}}));
}

}  // namespace
}  // namespace reprise
