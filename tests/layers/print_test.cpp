#include <sstream>

#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

template <class>
struct Wrapper : nn::Layer<Wrapper<int>> {
  Tensor forward(const Tensor& x) { return x; }
};

TEST(Print, LayersReadAsInPyTorch) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {to_string(nn::Linear(4, 5)), "Linear(in_features=4, out_features=5, bias=True)"},
      {to_string(nn::Linear(4, 5, {.bias = false})),
       "Linear(in_features=4, out_features=5, bias=False)"},
      {to_string(nn::Conv2d(3, 32, 3)), "Conv2d(3, 32, kernel_size=(3, 3), stride=(1, 1))"},
      {to_string(
           nn::Conv2d(4, 8, {1, 3},
                      {.stride = 2, .padding = {0, 1}, .dilation = 2, .groups = 4, .bias = false})),
       "Conv2d(4, 8, kernel_size=(1, 3), stride=(2, 2), padding=(0, 1), dilation=(2, 2), "
       "groups=4, bias=False)"},
      {to_string(nn::MaxPool2d(3)),
       "MaxPool2d(kernel_size=3, stride=3, padding=0, dilation=1, ceil_mode=False)"},
      {to_string(nn::MaxPool2d({2, 3}, {.stride = 1, .padding = 1, .ceil_mode = true})),
       "MaxPool2d(kernel_size=(2, 3), stride=1, padding=1, dilation=1, ceil_mode=True)"},
      {to_string(nn::AvgPool2d(2)), "AvgPool2d(kernel_size=2, stride=2, padding=0)"},
      {to_string(nn::BatchNorm2d(32)),
       "BatchNorm2d(32, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"},
      {to_string(nn::BatchNorm1d(
           3, {.momentum = std::nullopt, .affine = false, .track_running_stats = false})),
       "BatchNorm1d(3, eps=1e-05, momentum=None, affine=False, track_running_stats=False)"},
      {to_string(nn::ReLU()), "ReLU()"},
      {to_string(nn::Tanh()), "Tanh()"},
      {to_string(nn::Sigmoid()), "Sigmoid()"},
      {to_string(nn::GELU()), "GELU(approximate='none')"},
      {to_string(nn::GELU("tanh")), "GELU(approximate='tanh')"},
      {to_string(nn::Softmax(1)), "Softmax(dim=1)"},
      {to_string(nn::LogSoftmax(-1)), "LogSoftmax(dim=-1)"},
      {to_string(nn::Flatten()), "Flatten(start_dim=1, end_dim=-1)"},
      {to_string(nn::Dropout(0.5)), "Dropout(p=0.5, inplace=False)"},
      {to_string(nn::Identity()), "Identity()"},
      {to_string(nn::Sequential()), "Sequential()"},
      {to_string(nn::CrossEntropyLoss()), "CrossEntropyLoss()"},
      {to_string(nn::MSELoss()), "MSELoss()"},
  };
  for (const auto& [got, expected] : rows) EXPECT_EQ(got, expected);
}

TEST(Print, NestedModulesAreIndented) {
  nn::Sequential inner(nn::Linear(2, 2), nn::Tanh());
  std::ostringstream out;
  out << nn::Sequential(inner, nn::Dropout());
  EXPECT_EQ(out.str(),
            "Sequential(\n"
            "  (0): Sequential(\n"
            "    (0): Linear(in_features=2, out_features=2, bias=True)\n"
            "    (1): Tanh()\n"
            "  )\n"
            "  (1): Dropout(p=0.5, inplace=False)\n"
            ")");
}

TEST(Print, NamesAreFreeOfNamespacesAndArguments) {
  struct Local : nn::Layer<Local> {
    Tensor forward(const Tensor& x) { return x; }
  };
  EXPECT_EQ(Local().name(), "Local");
  EXPECT_EQ(Wrapper<int>().name(), "Wrapper");
}

}  // namespace
}  // namespace reprise
