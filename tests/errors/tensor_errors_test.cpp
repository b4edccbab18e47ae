// Bad input when tensors are made, read and differentiated.

#include <gtest/gtest.h>

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/parallel.h"
#include "../../graph/model.h"
#include "bad_input.h"

namespace reprise {
namespace {

using test::f32, test::f64, test::i64, test::leaf, test::In;
using enum ErrorKind;

constexpr int64_t kBig = int64_t{1} << 40;

TEST(Refused, Making) {
  test::expect_refused({
      {"a negative size",
       Shape,
       {"zeros", "at least 0", "got -1"},
       {},
       [](In) {
         zeros({2, -1});
       }},
      {"a product of sizes over 2^63",
       Shape,
       {"63 bits"},
       {},
       [](In) {
         empty({kBig, kBig});
       }},
      {"the same of zeros",
       Shape,
       {"63 bits"},
       {},
       [](In) {
         zeros({kBig, kBig});
       }},
      {"the same of rand",
       Shape,
       {"63 bits"},
       {},
       [](In) {
         rand({kBig, kBig});
       }},
      {"bytes over 2^63",
       Shape,
       {"63 bits"},
       {},
       [](In) { empty({int64_t{1} << 61}, {.dtype = float64}); }},
      {"more than there is", OutOfMemory, {}, {}, [](In) { empty({int64_t{1} << 50}); }},
      {"random integers",
       DType,
       {"randn", "a floating-point dtype", "int64"},
       {},
       [](In) { randn({2}, {.dtype = int64}); }},
      {"a step of 0", Value, {"arange", "step", "got 0"}, {}, [](In) { arange(0, 3, 0); }},
      {"a step that leads away", Value, {"arange", "step", "-1"}, {}, [](In) { arange(0, 3, -1); }},
      {"lists of two lengths",
       Shape,
       {"tensor", "one length", "2 and 1"},
       {},
       [](In) {
         tensor({{1, 2}, {3}});
       }},
      {"a number beside a list",
       Shape,
       {"tensor", "number beside a list"},
       {},
       [](In) {
         tensor({{1, 2}, 3});
       }},
      {"a number beside an empty list",
       Shape,
       {"tensor", "number beside a list"},
       {},
       [](In) {
         tensor({{}, 3});
       }},
      {"a list beside a number",
       Shape,
       {"tensor", "list beside a number"},
       {},
       [](In) {
         tensor({1, {2}});
       }},
      {"no memory", Value, {"from_blob", "[2]", "null"}, {}, [](In) { from_blob(nullptr, {2}); }},
      {"a device that is not there",
       Device,
       {"cuda:100"},
       {},
       [](In) { zeros({2}, {.device = reprise::Device::cuda(100)}); }},
      {"moving there",
       Device,
       {"to", "cuda:1"},
       {f32({2})},
       [](In x) { x[0].to(reprise::Device::cuda(1)); }},
      {"integers that require grad",
       DType,
       {"requires_grad_", "int64"},
       {i64({2})},
       [](In x) { Tensor(x[0]).requires_grad_(); }},
      {"no threads", Value, {"threads", "0"}, {}, [](In) { set_num_threads(0); }},
  });
}

TEST(Refused, Reading) {
  const Tensor symbol = Input({3}, {.batch_size = 1}), scalar = Input({}, {.batch_size = 1});
  test::expect_refused({
      {"another dtype",
       DType,
       {"data", "float32", "int64"},
       {f32({2})},
       [](In x) { x[0].data<int64_t>(); }},
      {"an item of many",
       Value,
       {"item", "one element", "[2]"},
       {f32({2})},
       [](In x) { x[0].item<float>(); }},
      {"axis",
       Index,
       {"size", "dim in [-2, 1]", "got 2"},
       {f32({2, 3})},
       [](In x) { x[0].size(2); }},
      {"features of an image",
       Shape,
       {"features", "2 dimensions", "[1, 2, 3, 4]"},
       {f32({1, 2, 3, 4})},
       [](In x) { x[0].features(); }},
      {"channels of a matrix",
       Shape,
       {"C:", "4 dimensions", "[2, 3]"},
       {f32({2, 3})},
       [](In x) { x[0].C(); }},
      {"batch size of a scalar",
       Shape,
       {"batch_size", "scalar"},
       {f32({})},
       [](In x) { x[0].batch_size(); }},
      {"an undefined tensor", Value, {"undefined"}, {}, [](In) { Tensor().shape(); }},
      {"values of a symbolic tensor",
       Value,
       {"symbolic", "no values", "SymbolicModel"},
       {},
       [&](In) { symbol.to_vector<float>(); }},
      {"the item of a symbolic tensor",
       Value,
       {"symbolic", "no values"},
       {},
       [&](In) { scalar.item<float>(); }},
      {"the item of an unknown batch",
       Value,
       {"symbolic", "no values", "SymbolicModel"},
       {},
       [](In) { Input({3}).item<float>(); }},
      {"the data of a symbolic tensor",
       Value,
       {"symbolic", "no values"},
       {},
       [&](In) { symbol.data<float>(); }},
      {"the number of elements of an unknown batch",
       Shape,
       {"numel", "batch size is not known"},
       {},
       [](In) { Input({3}).numel(); }},
      {"values of a meta tensor",
       Value,
       {"meta", "no values"},
       {},
       [](In) { empty({2}, {.device = reprise::Device::meta()}).to_vector<float>(); }},
  });
}

TEST(Refused, Differentiating) {
  const Tensor w = leaf({2});
  test::expect_refused({
      {"no graph",
       Autograd,
       {"backward", "does not require grad"},
       {f32({})},
       [](In x) { x[0].backward(); }},
      {"more than one element",
       Autograd,
       {"backward", "[2]", "more than one element"},
       {w},
       [](In x) { (x[0] * 2).backward(); }},
      {"gradient of another shape",
       Shape,
       {"backward", "[2]", "[3]"},
       {w, f32({3})},
       [](In x) { (x[0] * 2).backward(x[1]); }},
      {"gradient of another dtype",
       DType,
       {"backward", "float32", "float64"},
       {w, f64({2})},
       [](In x) { (x[0] * 2).backward(x[1]); }},
      {"an input that was not used",
       Autograd,
       {"grad", "input 0", "not used", "allow_unused"},
       {w, leaf({2})},
       [](In x) { grad({sum(x[0])}, {x[1]}); }},
      {"an input without grad",
       Autograd,
       {"grad", "input 0", "does not require grad"},
       {w, f32({2})},
       [](In x) { grad({sum(x[0])}, {x[1]}); }},
      {"in place on a leaf",
       Autograd,
       {"add_", "leaf", "use add"},
       {w},
       [](In x) { Tensor(x[0]).add_(x[0].detach()); }},
      {"filling a leaf",
       Autograd,
       {"leaf", "requires grad"},
       {w},
       [](In x) { Tensor(x[0]).zero_(); }},
      {"in place on a view",
       Autograd,
       {"mul_", "view", "use mul"},
       {w, f32({2})},
       [](In x) { x[1].slice(0, 0, 1).mul_(x[0].slice(0, 0, 1)); }},
      {"set_grad of another shape",
       Shape,
       {"set_grad", "[2]", "[3]"},
       {w, f32({3})},
       [](In x) { x[0].set_grad(x[1]); }},
  });
  EXPECT_FALSE(w.grad().defined());
}

TEST(Refused, ASecondBackward) {
  const Tensor w = leaf({2}), loss = sum(w * w);
  loss.backward();
  const Tensor gradient = w.grad();
  test::expect_refused({{"second backward",
                         Autograd,
                         {"backward", "released", "retain_graph"},
                         {w, gradient},
                         [&](In) { loss.backward(); }}});
}

TEST(Refused, AChangedSavedTensor) {
  const Tensor w = leaf({2});
  Tensor x = f32({2});
  const Tensor loss = sum(w * x);
  x.fill_(3);
  test::expect_refused({{"changed saved tensor",
                         Autograd,
                         {"mul", "input 1", "[2]", "version 0", "version 1"},
                         {w, x},
                         [&](In) { loss.backward(); }}});
  EXPECT_FALSE(w.grad().defined());
}

}  // namespace
}  // namespace reprise
