// Optimizer steps of many parameters in one call.

#include "../../core/ops/update.h"

#include "../../core/dispatch.h"
#include "op_testing.h"

namespace reprise {
namespace {

using namespace op_testing;

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Tensor number(double value) { return full({}, value, {.dtype = float64}); }

/// Parameters that are empty, tiny, large, transposed and of another dtype, each with `state`
/// tensors beside its gradient and with steps of its own.
Tensors operands_for(size_t state) {
  Tensors in{number(0.05)};
  const auto add = [&](const Shape& shape, DType dtype, bool transposed) {
    for (size_t k = 0; k < 2 + state; ++k) {
      const Tensor x = sample(shape, dtype, in.size());
      const Tensor y = k < 2 ? x : abs(x) + 0.5;
      in.push_back(transposed ? transpose(y, 0, -1) : y);
    }
    in.push_back(number(static_cast<double>(in.size() % 3)));
  };
  for (int i = 0; i < 40; ++i) add({i % 7}, float32, false);
  add({300, 257}, float32, false);
  add({9, 31}, float32, true);
  add({33000}, float64, false);
  for (int i = 0; i < 9; ++i) add({4, i}, i % 2 == 0 ? float32 : float64, i % 4 == 3);
  return in;
}

Tensors clones(const Tensors& in) {
  Tensors out;
  for (const Tensor& x : in) out.push_back(clone(x));
  return out;
}

template <class T>
Tensors step_together(const T& op, const Tensors& in) {
  const Tensors out = clones(in);
  dispatch(Model(op), out);
  dispatch(Model(op), out);
  return out;
}

template <class T>
Tensors step_one_by_one(const T& op, const Tensors& in) {
  const Tensors out = clones(in);
  for (int t = 0; t < 2; ++t) {
    for (size_t i = 1; i < out.size(); i += T::writes_period) {
      Tensors one{out[0]};
      for (size_t k = 0; k < T::writes_period; ++k) one.push_back(out[i + k]);
      dispatch(Model(op), one);
    }
  }
  return out;
}

template <class T>
void expect_together_as_one_by_one(const T& op) {
  const Tensors in = operands_for(T::writes_period - 3);
  on_every_isa([&] {
    const Tensors together = step_together(op, in), alone = step_one_by_one(op, in);
    for (size_t i = 0; i < in.size(); ++i) expect_same_bits(together[i], alone[i]);
    expect_same_on_threads([&] { return step_together(op, in); });
  });
}

TEST(Update, ManyParametersGetTheBitsOfOneCallEach) {
  expect_together_as_one_by_one(SgdStep{});
  expect_together_as_one_by_one(SgdStep{0.9, 0.25, 0.01, false});
  expect_together_as_one_by_one(SgdStep{0.9, 0, 0, true});
  expect_together_as_one_by_one(AdamStep{});
  expect_together_as_one_by_one(AdamStep{.weight_decay = 0.1, .amsgrad = true});
}

TEST(Update, EveryParameterCountsItsOwnSteps) {
  const Tensors in = operands_for(1), out = step_together(SgdStep{}, in);
  for (size_t i = 4; i < in.size(); i += 4) {
    EXPECT_EQ(out[i].item<double>(), in[i].item<double>() + 2);
  }
}

TEST(Update, SaysWhichOperandsItWrites) {
  const OpTraits& sgd = Model(SgdStep{}).traits();
  const OpTraits& adam = Model(AdamStep{}).traits();
  const std::string sgd_pattern = "pgpp", adam_pattern = "pgpppp";
  EXPECT_FALSE(sgd.writes_input(0) || adam.writes_input(0));
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(sgd.writes_input(1 + i), sgd_pattern[i % 4] == 'p') << i;
    EXPECT_EQ(adam.writes_input(1 + i), adam_pattern[i % 6] == 'p') << i;
  }
  EXPECT_FALSE((OpTraits{.name = "", .writes = 0b10}.writes_input(33)));
}

TEST(Update, RaisesTheVersionsOfWhatItWrites) {
  const Tensors in = clones(operands_for(1));
  SmallVector<uint32_t, 8> before;
  for (const Tensor& x : in) before.push_back(static_cast<uint32_t>(x.impl().storage->version()));
  dispatch(Model(SgdStep{}), in);
  for (size_t i = 0; i < in.size(); ++i) {
    const bool written = i > 0 && i % 4 != 2;
    EXPECT_EQ(in[i].impl().storage->version(), before[i] + (written ? 1U : 0U)) << i;
  }
}

TEST(Update, RefusesOperandsThatDoNotFit) {
  const Tensor lr = number(1), p = ones({3}), q = ones({4}), none = empty({0}), step = number(0);
  const std::vector<std::pair<Tensors, std::string>> rows{
      {{lr}, "sgd_step: expected lr and 4 operands for each parameter, got 1 operands in all"},
      {{lr, p, p, p}, "expected lr and 4 operands for each parameter, got 4 operands in all"},
      {{p, p, p, p, step}, "expected lr as a 0-dim float64, got float32[3]"},
      {{lr, p, p, p, p}, "expected step as a 0-dim float64, got float32[3]"},
      {{lr, p, q, p, step}, "expected operand 2 like the parameter float32[3], got float32[4]"},
      {{lr, p, p, p, step, q, q, none, step},
       "expected operand 7 like the parameter float32[4], got float32[0]"},
      {{lr, p.to(int64), p, p, step},
       "expected parameters of a floating-point dtype, got int64 for operand 1"},
  };
  for (const auto& row : rows) {
    const std::string error =
        error_of([&] { dispatch(Model(SgdStep{.momentum = 0.9}), row.first); });
    EXPECT_NE(error.find(row.second), std::string::npos) << error;
  }
  const std::array unused{lr, p, p, q, step};
  EXPECT_NE(error_of([&] { dispatch(Model(SgdStep{}), unused); }).find("operand 3 empty or like"),
            std::string::npos);
  EXPECT_EQ(error_of([&] {
              dispatch(Model(SgdStep{}), std::array{lr, p, p, none, step});
            }),
            "no error");
}

}  // namespace
}  // namespace reprise
