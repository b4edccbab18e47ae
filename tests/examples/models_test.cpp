// The models of examples/models: their sizes, worked out by hand, and a few steps of training.

#include "../../examples/models/models.h"

#include <gtest/gtest.h>

namespace reprise {
namespace {

/// Convolutions without bias have in * out * k * k parameters, batch norm has 2 * channels.
/// resnet: the stem 3*16*9 + 32 = 464, then three stages of n blocks, then 64*10 + 10 = 650.
///   16: each block 2*(16*16*9 + 32) = 4672
///   32: first 16*32*9 + 64 + 32*32*9 + 64 + 16*32 + 64 = 14528, others 2*(32*32*9 + 64) = 18560
///   64: first 32*64*9 + 128 + 64*64*9 + 128 + 32*64 + 128 = 57728, others 73984
///   n = 3: 464 + 3*4672 + 14528 + 2*18560 + 57728 + 2*73984 + 650 = 272474 (0.27 M in the paper),
///   and 4672 + 18560 + 73984 = 97216 for each n more.
int64_t resnet_parameters(int64_t n) { return 272474 + (n - 3) * 97216; }

/// preact_resnet: the stem 3*16*9 = 432, last norm 512, 256*10 + 10 = 2570. Blocks of n = 18:
///   64: first (32 + 16*16) + (32 + 16*16*9) + (32 + 16*64) + 16*64 = 4704,
///       others (128 + 64*16) + (32 + 16*16*9) + (32 + 16*64) = 4544
///   128: first (128 + 64*32) + (64 + 32*32*9) + (64 + 32*128) + 64*128 = 23808,
///        others (256 + 128*32) + (64 + 32*32*9) + (64 + 32*128) = 17792
///   256: first (256 + 128*64) + (128 + 64*64*9) + (128 + 64*256) + 128*256 = 94720,
///        others (512 + 256*64) + (128 + 64*64*9) + (128 + 64*256) = 70400
constexpr int64_t kPreact164 =
    432 + (4704 + 17 * 4544) + (23808 + 17 * 17792) + (94720 + 17 * 70400) + 512 + 2570;

/// wide_resnet 16-8 (n = 2; 11.0 M in the paper): stem 432, last norm 1024, 512*10 + 10 = 5130.
///   128: first (32 + 16*128*9) + (256 + 128*128*9) + 16*128 = 168224, other 2*(256 + 128*128*9)
///   256: first (256 + 128*256*9) + (512 + 256*256*9) + 128*256 = 918272, other 2*(512 + 256*256*9)
///   512: first (512 + 256*512*9) + (1024 + 512*512*9) + 256*512 = 3671552,
///        other 2*(1024 + 512*512*9)
constexpr int64_t kWide16x8 =
    432 + (168224 + 295424) + (918272 + 1180672) + (3671552 + 4720640) + 1024 + 5130;
/// 28-10 (n = 4; 36.5 M in the paper): the same with 160, 320 and 640 channels.
constexpr int64_t kWide28x10 =
    432 + (256352 + 3 * 461440) + (1434560 + 3 * 1844480) + (5736320 + 3 * 7375360) + 1280 + 6410;

/// vgg: convolutions with bias and their norms have in * out * 9 + 3 * out parameters:
///   3-64: 1920, 64-128: 74112, 128-256: 295680, 256-256: 590592, 256-512: 1181184, 512-512:
///   2360832; the end 512*10 + 10 = 5130. 13 adds 64-64 and 128-128; 16 and 19 add one 256-256 and
///   two 512-512 each.
constexpr int64_t kVgg11 = 1920 + 74112 + 295680 + 590592 + 1181184 + 3 * 2360832 + 5130;
constexpr int64_t kVgg13 = kVgg11 + 37056 + 147840;
constexpr int64_t kVgg16 = kVgg13 + 590592 + 2 * 2360832;
constexpr int64_t kVgg19 = kVgg16 + 590592 + 2 * 2360832;

TEST(ExampleModels, HaveTheSizesOfThePapers) {
  const auto expect = [](const SymbolicModel& model, int64_t parameters) {
    EXPECT_EQ(model.num_parameters(), parameters);
    EXPECT_EQ(shape_text(model.input_shape()), "(None, 3, 32, 32)");
    EXPECT_EQ(shape_text(model.output_shape()), "(None, 10)");
  };
  for (const int depth : {20, 32, 44, 56, 110}) {
    SCOPED_TRACE(depth);
    expect(models::resnet(depth), resnet_parameters((depth - 2) / 6));
  }
  expect(models::preact_resnet(164), kPreact164);  // 1.7 M in the paper
  expect(models::wide_resnet(16, 8), kWide16x8);
  expect(models::wide_resnet(28, 10, 0.3), kWide28x10);
  expect(models::vgg(11), kVgg11);
  expect(models::vgg(13), kVgg13);
  expect(models::vgg(16), kVgg16);
  expect(models::vgg(19), kVgg19);
}

TEST(ExampleModels, RefuseOtherDepths) {
  const auto message = [](const auto& make) -> std::string {
    try {
      make();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([] { models::resnet(21); }), "resnet: expected a depth of 6 n + 2, got 21");
  EXPECT_EQ(message([] { models::resnet(2); }), "resnet: expected a depth of 6 n + 2, got 2");
  EXPECT_EQ(message([] { models::preact_resnet(12); }),
            "preact_resnet: expected a depth of 9 n + 2, got 12");
  EXPECT_EQ(message([] { models::wide_resnet(20, 2); }),
            "wide_resnet: expected a depth of 6 n + 4, got 20");
  EXPECT_EQ(message([] { models::vgg(12); }), "vgg: expected a depth of 11, 13, 16 or 19, got 12");
}

/// The loss before the first of `count` steps, and after the last, in train mode.
std::pair<double, double> train(SymbolicModel& model, const auto& loss_of, double lr, int count) {
  optim::SGD optimizer(model.parameters(), {.lr = lr, .momentum = 0.9});
  model.train();
  const double first = loss_of(model).template item<double>();
  for (int step = 0; step < count; ++step) {
    optimizer.zero_grad();
    loss_of(model).backward();
    optimizer.step();
  }
  return {first, loss_of(model).template item<double>()};
}

/// The loss of classifying x.
auto classifying(const Tensor& x, const Tensor& labels) {
  return [=](SymbolicModel& model) { return cross_entropy(model(x), labels); };
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.to_vector<float>() == b.to_vector<float>();
}

/// Learns four images by heart; then gives the same in eval mode each time, compiled too.
void expect_learns(SymbolicModel model, const Shape& image) {
  const Tensor x = randn({4, image[0], image[1], image[2]});
  const Tensor labels = tensor({int64_t{0}, 1, 2, 3});
  const auto [first, last] = train(model, classifying(x, labels), 0.02, 6);
  EXPECT_LT(last, 0.7 * first);

  model.eval();
  const NoGradGuard guard;
  const Tensor eager = model(x);
  EXPECT_TRUE(same_bits(model(x), eager));
  model.compile();
  EXPECT_TRUE(same_bits(model(x), eager));
  EXPECT_TRUE(same_bits(model(x), eager));
}

TEST(ExampleModels, Learn) {
  manual_seed(1);
  const Shape small{3, 8, 8};
  expect_learns(models::resnet(20, small), small);
  expect_learns(models::preact_resnet(11, small), small);
  expect_learns(models::wide_resnet(10, 2, 0.1, small), small);
  expect_learns(models::vgg(11), {3, 32, 32});
}

TEST(ExampleModels, DropoutOfWideResnetsActsInTraining) {
  manual_seed(1);
  SymbolicModel model = models::wide_resnet(10, 1, 0.5, {3, 8, 8});
  const Tensor x = randn({2, 3, 8, 8});
  model.train();
  EXPECT_FALSE(same_bits(model(x), model(x)));
  model.eval();
  EXPECT_TRUE(same_bits(model(x), model(x)));
}

/// Encoder 1*16*9 + 16, 16*32*9 + 32 and 32*7*7*64 + 64, counted once; then 64 + 1.
TEST(ExampleModels, SiameseSharesItsEncoder) {
  manual_seed(1);
  SymbolicModel model = models::siamese();
  EXPECT_EQ(model.num_parameters(), 160 + 4640 + 100416 + 65);
  EXPECT_EQ(model.parameters().size(), 8u);
  const Tensor some = rand({6, 1, 28, 28}), others = rand({6, 1, 28, 28});
  EXPECT_EQ(model(some, others).shape(), (Shape{6, 1}));
  EXPECT_TRUE(same_bits(model(some, others), model(others, some)));
  const Tensor itself = model(some, some);
  EXPECT_EQ(itself.max().item<float>(), itself.min().item<float>());  // no distance of any image

  const auto loss = [&](SymbolicModel& m) {
    return mse_loss(m(some, some), ones({6, 1})) + mse_loss(m(some, others), zeros({6, 1}));
  };
  const auto [first, last] = train(model, loss, 0.1, 40);
  EXPECT_LT(last, 0.8 * first);
  model.eval();
  const NoGradGuard guard;
  const Tensor eager = model(some, others);
  model.compile();
  EXPECT_TRUE(same_bits(model(some, others), eager));
}

/// Photo 3*16*9 + 16, 16*32*9 + 32 and 32*8*8*32 + 32; facts 8*32 + 32; price 64 + 1; style 32*5
/// + 5.
TEST(ExampleModels, HouseHasTwoInputsAndTwoOutputs) {
  manual_seed(1);
  SymbolicModel model = models::house();
  EXPECT_EQ(model.num_parameters(), 448 + 4640 + 65568 + 288 + 65 + 165);
  const Tensor photos = rand({4, 3, 32, 32}), facts = rand({4, 8});
  const Tensor prices = rand({4, 1}), styles = tensor({int64_t{0}, 1, 2, 3});
  const auto loss = [&](SymbolicModel& m) {
    const auto [price, style] = unpack<2>(m.outputs(photos, facts));
    return mse_loss(price, prices) + cross_entropy(style, styles);
  };
  const auto [first, last] = train(model, loss, 0.05, 10);
  EXPECT_LT(last, 0.95 * first);

  const NoGradGuard guard;
  const auto [price, style] = unpack<2>(model.outputs(photos, facts));
  EXPECT_EQ(price.shape(), (Shape{4, 1}));
  EXPECT_EQ(style.shape(), (Shape{4, 5}));
  model.compile();
  const auto [price_again, style_again] = unpack<2>(model.outputs(photos, facts));
  EXPECT_TRUE(same_bits(price_again, price));
  EXPECT_TRUE(same_bits(style_again, style));
}

/// Features 3*16*9 + 16, 16*32*9 + 32 and 32*4*4*64 + 64 of images 16 x 16; then 64*4 + 4.
TEST(ExampleModels, FeaturesAreThoseOfTheTrainedClassifier) {
  manual_seed(1);
  auto [model, features] = models::classifier({3, 16, 16}, 4);
  EXPECT_EQ(model.num_parameters(), 448 + 4640 + 32832 + 260);
  EXPECT_EQ(features.num_parameters(), 448 + 4640 + 32832);
  const Tensor x = rand({4, 3, 16, 16}), labels = tensor({int64_t{0}, 1, 2, 3});
  const Tensor before = features(x).detach();
  const auto [first, last] = train(model, classifying(x, labels), 0.1, 30);
  EXPECT_LT(last, 0.9 * first);
  EXPECT_FALSE(same_bits(features(x), before));  // trained with the classifier

  const std::vector<Tensor> weights = model.parameters();
  const Tensor logits = features(x).matmul(weights[6].t()) + weights[7];
  EXPECT_LT((logits - model(x)).abs().max().item<float>(), 1e-5);
}

TEST(ExampleModels, TransferTrainsTheLastLayerAlone) {
  manual_seed(1);
  auto [model, features] = models::classifier({3, 16, 16}, 4);
  SymbolicModel other = models::transfer(features, 2);
  EXPECT_EQ(nn::num_parameters(other), 448 + 4640 + 32832 + 64 * 2 + 2);
  EXPECT_EQ(nn::num_parameters(other, {.trainable_only = true}), 64 * 2 + 2);
  const Tensor x = rand({4, 3, 16, 16}), labels = tensor({int64_t{0}, 1, 0, 1});
  const Tensor seen = features(x), logits = model(x);
  const auto [first, last] = train(other, classifying(x, labels), 0.1, 20);
  EXPECT_LT(last, first);
  EXPECT_TRUE(same_bits(features(x), seen));
  EXPECT_TRUE(same_bits(model(x), logits));
}

}  // namespace
}  // namespace reprise
