#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of;

nn::NamedTensors ones_of(const nn::Module& module) {
  nn::NamedTensors out;
  for (const auto& [name, value] : module.state_dict()) out.emplace_back(name, ones_like(value));
  return out;
}

TEST(StateDict, SharesTheData) {
  nn::Linear layer(2, 2);
  Tensor weight = layer.state_dict()[0].second;
  weight.fill_(3);
  EXPECT_EQ(layer.weight().to_vector<double>(), std::vector<double>(4, 3));
}

TEST(StateDict, LoadsIntoTheExistingStorage) {
  nn::Sequential net(nn::Linear(2, 2), nn::BatchNorm1d(2));
  const auto before = net.parameters();
  const void* data = before[0].raw_data();
  const auto left = net.load_state_dict(ones_of(net));
  EXPECT_TRUE(left.missing.empty() && left.unexpected.empty());
  EXPECT_EQ(net.parameters()[0].raw_data(), data);
  for (const auto& [name, value] : net.state_dict()) {
    EXPECT_EQ(value.to_vector<double>(), std::vector<double>(value.numel(), 1)) << name;
  }
  EXPECT_TRUE(before[0].requires_grad() && before[0].is_leaf());
}

TEST(StateDict, ConvertsDtypes) {
  nn::Linear layer(1, 1, {.bias = false});
  layer.load_state_dict({{"weight", tensor({{0.5}}, {.dtype = float64})}});
  EXPECT_EQ(layer.weight().dtype(), float32);
  EXPECT_EQ(layer.weight().item<double>(), 0.5);
}

TEST(StateDict, AllFaultsAreListedAndNothingChanges) {
  nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 1));
  const auto before = net.parameters()[0].to_vector<double>();
  const nn::NamedTensors values{{"0.weight", ones({2, 2})},
                                {"1.weight", ones({2})},
                                {"1.bias", Tensor()},
                                {"2.weight", ones({1})},
                                {"extra", ones({1})}};
  EXPECT_EQ(error_of([&] { net.load_state_dict(values); }),
            "Sequential: the state dict does not fit; wrong shape: 1.weight (expected [1, 2], got "
            "[2]), 1.bias (expected [1], got none); missing: 0.bias; unexpected: 2.weight, extra");
  EXPECT_EQ(net.parameters()[0].to_vector<double>(), before);
}

TEST(StateDict, NotStrictLeavesTheRestAside) {
  nn::Linear layer(2, 1);
  const auto left = layer.load_state_dict({{"bias", ones({1})}, {"other", ones({7})}}, false);
  EXPECT_EQ(left.missing, std::vector<std::string>{"weight"});
  EXPECT_EQ(left.unexpected, std::vector<std::string>{"other"});
  EXPECT_EQ(layer.bias().item<double>(), 1);
  EXPECT_EQ(error_of([&] {
              layer.load_state_dict({{"bias", ones({2})}}, false);
            }),
            "Linear: the state dict does not fit; wrong shape: bias (expected [1], got [2])");
}

}  // namespace
}  // namespace reprise
