#include <cmath>
#include <functional>

#include "../../core/random.h"
#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of;

struct Statistics {
  double mean, deviation, low, high;
};

Statistics statistics(const Tensor& x) {
  const auto values = x.to_vector<double>();
  Statistics s{0, 0, values[0], values[0]};
  for (const double v : values) {
    s.mean += v / static_cast<double>(values.size());
    s.low = std::min(s.low, v);
    s.high = std::max(s.high, v);
  }
  for (const double v : values) {
    s.deviation += (v - s.mean) * (v - s.mean) / static_cast<double>(values.size());
  }
  s.deviation = std::sqrt(s.deviation);
  return s;
}

void expect_uniform(const Tensor& x, double bound) {
  const Statistics s = statistics(x);
  EXPECT_GE(s.low, -bound);
  EXPECT_LT(s.low, -0.99 * bound);
  EXPECT_LT(s.high, bound * (1 + 1e-6));
  EXPECT_GT(s.high, 0.99 * bound);
  EXPECT_NEAR(s.mean, 0, 0.02 * bound);
  EXPECT_NEAR(s.deviation, bound / std::sqrt(3.0), 0.02 * bound);
}

// The numbers are the formulas of the papers worked out for a weight [100, 50, 2, 2]: fan_in = 200,
// fan_out = 400.
TEST(Init, UniformOnesHaveTheirBounds) {
  manual_seed(1);
  const Tensor w = empty({100, 50, 2, 2});
  expect_uniform(nn::init::uniform_(w, -2, 2), 2);
  expect_uniform(nn::init::kaiming_uniform_(w), std::sqrt(6.0 / 200));
  expect_uniform(nn::init::kaiming_uniform_(w, {.a = std::sqrt(5.0)}), 1 / std::sqrt(200.0));
  expect_uniform(nn::init::kaiming_uniform_(w, {.mode = nn::init::FanMode::out}),
                 std::sqrt(6.0 / 400));
  expect_uniform(nn::init::xavier_uniform_(w), std::sqrt(6.0 / 600));
  expect_uniform(nn::init::xavier_uniform_(w, 2), 2 * std::sqrt(6.0 / 600));
}

TEST(Init, NormalOnesHaveTheirDeviation) {
  manual_seed(1);
  const Tensor w = empty({100, 50, 2, 2});
  const std::vector<std::pair<std::function<Tensor()>, double>> rows{
      {[&] { return nn::init::normal_(w); }, 1},
      {[&] { return nn::init::kaiming_normal_(w); }, std::sqrt(2.0 / 200)},
      {[&] { return nn::init::xavier_normal_(w); }, std::sqrt(2.0 / 600)}};
  for (const auto& [fill, deviation] : rows) {
    const Statistics s = statistics(fill());
    EXPECT_NEAR(s.mean, 0, 0.03 * deviation);
    EXPECT_NEAR(s.deviation, deviation, 0.03 * deviation);
  }
  EXPECT_NEAR(statistics(nn::init::normal_(w, 5, 0)).mean, 5, 1e-9);
}

TEST(Init, LayersStartAsInPyTorch) {
  manual_seed(2);
  const nn::Linear linear(100, 900);
  expect_uniform(linear.weight(), 0.1);
  expect_uniform(linear.bias(), 0.1);
  const nn::Conv2d conv(32, 900, 5, {.groups = 2});  // fan_in = 16 * 25
  expect_uniform(conv.weight(), 0.05);
  expect_uniform(conv.bias(), 0.05);
  const nn::BatchNorm2d norm(2);
  EXPECT_EQ(norm.weight().to_vector<double>(), (std::vector<double>{1, 1}));
  EXPECT_EQ(norm.bias().to_vector<double>(), (std::vector<double>{0, 0}));
  EXPECT_EQ(norm.running_var().to_vector<double>(), (std::vector<double>{1, 1}));
}

TEST(Init, TheSeedDecides) {
  manual_seed(7);
  const nn::Linear a(5, 5);
  const nn::Linear other(5, 5);
  manual_seed(7);
  const nn::Linear b(5, 5);
  test::expect_equal(a.weight(), b.weight());
  test::expect_equal(a.bias(), b.bias());
  EXPECT_NE(a.weight().to_vector<double>(), other.weight().to_vector<double>());
}

TEST(Init, WritesInPlaceWithoutHistory) {
  nn::Linear layer(2, 2);
  const void* data = layer.weight().raw_data();
  nn::init::constant_(layer.weight(), 0.25);
  EXPECT_EQ(layer.weight().to_vector<double>(), std::vector<double>(4, 0.25));
  nn::init::ones_(layer.weight());
  EXPECT_EQ(layer.weight().to_vector<double>(), std::vector<double>(4, 1));
  nn::init::zeros_(layer.weight());
  EXPECT_EQ(layer.weight().to_vector<double>(), std::vector<double>(4, 0));
  nn::init::xavier_normal_(layer.weight());
  EXPECT_EQ(layer.weight().raw_data(), data);
  EXPECT_TRUE(layer.weight().is_leaf() && layer.weight().requires_grad());
}

TEST(Init, RefusesWhatItCannotFill) {
  EXPECT_EQ(error_of([] { nn::init::kaiming_uniform_(ones({3})); }),
            "init: expected a weight of at least two dimensions, got [3]");
  EXPECT_EQ(error_of([] { nn::init::uniform_(ones({3}, {.dtype = int64})); }),
            "init: expected a tensor of a floating-point dtype with data");
  EXPECT_EQ(error_of([] { nn::init::uniform_(ones({3}), 2, 1); }),
            "init.uniform_: expected low <= high, got 2 and 1");
  EXPECT_EQ(error_of([] { nn::init::normal_(ones({3}), 0, -1); }),
            "init.normal_: expected a deviation >= 0, got -1");
}

}  // namespace
}  // namespace reprise
