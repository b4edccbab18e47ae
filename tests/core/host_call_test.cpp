// C++ functions called as ops.

#include "../../core/ops/host_call.h"

#include "../../core/dispatch.h"
#include "../layers/helpers.h"

namespace reprise {
namespace {

using test::error_of;
using test::expect_equal;

const HostFunction kNothing = [](const Tensors&) { return Tensors(); };

TEST(HostCall, SeesItsOperandsWhereTheyLie) {
  const Tensor x = arange(6).reshape({2, 3}), y = x.slice(1, 1).t();
  Tensors seen;
  const HostFunction keep = [&](const Tensors& in) {
    EXPECT_EQ(in[0].raw_data(), y.raw_data());
    seen.push_back(in[0].clone());
    return Tensors{sum(in[0]), in[0].t()};
  };
  const Tensors out =
      host_call("keep", keep, {y}, std::array{Meta({}, int64), Meta({2, 2}, int64)});
  expect_equal(seen[0], y);
  expect_equal(out[0], tensor(12));
  expect_equal(out[1], y.t());
  EXPECT_TRUE(out[1].is_contiguous());
}

TEST(HostCall, MayReturnWhatItGotOrNothingAndNeedsNoInput) {
  const Tensor x = tensor({1.0, 2.0});
  expect_equal(host_call(
                   "same", [](const Tensors& in) { return in; }, {x}, std::array{x.meta()})[0],
               x);
  EXPECT_TRUE(host_call("nothing", kNothing, {x}, {}).empty());
  const HostFunction make = [](const Tensors&) { return Tensors{tensor({7})}; };
  expect_equal(host_call("make", make, {}, std::array{Meta({1}, int64)})[0], tensor({7}));
}

TEST(HostCall, IsNotCalledWithoutValues) {
  const HostFunction never = [](const Tensors&) -> Tensors { throw std::runtime_error("called"); };
  const Tensor x = meta_tensor(Meta({2}, float32));
  EXPECT_EQ(host_call("never", never, {x}, std::array{Meta({3}, int32)})[0].shape(), (Shape{3}));
  EXPECT_THROW(host_call("never", never, {ones({2})}, {}), std::runtime_error);
}

TEST(HostCall, HasNoGradientAndNoTextToParse) {
  const Tensor x = ones({2}, {.requires_grad = true});
  const HostFunction same = [](const Tensors& in) { return in; };
  EXPECT_FALSE(host_call("same", same, {x}, std::array{x.meta()})[0].requires_grad());
  const Model op(HostCall{{std::make_shared<HostFunction>(same)}, "same", {{{2}, float32}}});
  EXPECT_EQ(op.text(),
            "host_call {f=a C++ function, label=same, outputs=[{shape=[2], dtype=float32}]}");
  EXPECT_TRUE(op.equals(*op.keep()));
  EXPECT_FALSE(op.equals(Model(HostCall{{std::make_shared<HostFunction>(same)}, "same", {}})));
  EXPECT_TRUE(op.traits().effects);
}

TEST(HostCall, RefusesWhatDoesNotFit) {
  const Tensor x = ones({2});
  const auto call = [&](const HostFunction& f, const Tensors& in, std::span<const Meta> out) {
    return error_of([&] { host_call("name", f, in, out); });
  };
  const HostFunction same = [](const Tensors& in) { return in; };
  const std::array one{Meta({3}, float32)}, ints{Meta({2}, int64)}, huge{Meta({-1}, float32)};
  EXPECT_EQ(call(same, {x}, one), "name: expected output 0 of float32[3], got float32[2]");
  EXPECT_EQ(call(same, {x}, ints), "name: expected output 0 of int64[2], got float32[2]");
  EXPECT_EQ(call(same, {x}, {}), "name: expected 0 outputs, got 1");
  EXPECT_EQ(call([](const Tensors&) { return Tensors(1); }, {x}, one),
            "name: expected output 0 of float32[3], got an undefined tensor");
  EXPECT_EQ(call({}, {x}, one), "host_call: expected a function for name, got none");
  EXPECT_EQ(call(same, {}, {}), "host_call: expected inputs or outputs for name, got neither");
  EXPECT_EQ(call(same, {x}, huge), "host_call: expected sizes of at least 0, got -1");
}

}  // namespace
}  // namespace reprise
