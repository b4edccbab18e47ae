// clip_grad_norm_ and clip_grad_value_ against plain loops.

#include "../../layers/clip_grad.h"

#include <cmath>
#include <limits>

#include "../../graph/trace.h"
#include "helpers.h"

namespace reprise::nn {
namespace {

using test::error_of;
using test::expect_equal;
using test::expect_near;

constexpr double kInf = std::numeric_limits<double>::infinity();

/// Parameters whose gradients are `gradients`; an undefined one has none.
std::vector<Tensor> with_gradients(const Tensors& gradients) {
  std::vector<Tensor> out;
  for (const Tensor& g : gradients) {
    out.push_back(g.defined() ? zeros(g.shape(), {.dtype = g.dtype(), .requires_grad = true})
                              : zeros({3}, {.requires_grad = true}));
    if (g.defined()) out.back().set_grad(g.clone());
  }
  return out;
}

double norm_of(const Tensors& gradients, bool largest) {
  double out = 0;
  for (const Tensor& g : gradients) {
    if (!g.defined()) continue;
    for (double v : g.to_vector<double>()) out = largest ? std::max(out, std::abs(v)) : out + v * v;
  }
  return largest ? out : std::sqrt(out);
}

void expect_clipped(const Tensors& gradients, double max_norm, double norm_type) {
  const std::vector<Tensor> params = with_gradients(gradients);
  const double norm = norm_of(gradients, norm_type == kInf);
  const Tensor returned = clip_grad_norm_(params, max_norm, norm_type);
  EXPECT_EQ(returned.dim(), 0);
  EXPECT_NEAR(returned.item<double>(), norm, 1e-6 * norm);
  const double scale = std::min(1.0, max_norm / (norm + 1e-6));
  for (size_t i = 0; i < params.size(); ++i) {
    if (!gradients[i].defined()) {
      EXPECT_FALSE(params[i].grad().defined());
    } else {
      EXPECT_EQ(params[i].grad().dtype(), gradients[i].dtype());
      expect_near(params[i].grad(), gradients[i] * scale, 1e-6);
    }
  }
}

TEST(ClipGradNorm, ScalesAllGradientsTogether) {
  const Tensor a = tensor({{3.0, -4.0}, {0.5, 2.0}}), b = tensor({-12.0}), none;
  const Tensor wide = tensor({1.0, -2.5}, {.dtype = float64}), empty = zeros({0, 2});
  for (const double norm_type : {2.0, kInf}) {
    for (const double max_norm : {0.0, 1.0, 13.0, 100.0}) {
      expect_clipped({a, none, b, empty}, max_norm, norm_type);
      expect_clipped({a, wide, b.t()}, max_norm, norm_type);
    }
  }
}

TEST(ClipGradNorm, LeavesSmallGradientsAndTheirMemoryAlone) {
  const auto params = with_gradients({tensor({3.0, 4.0})});
  const Tensor held = params[0].grad();
  clip_grad_norm_(params, 6);
  expect_equal(params[0].grad(), tensor({3.0, 4.0}));
  clip_grad_norm_(params, 2.5);
  EXPECT_EQ(held.raw_data(), params[0].grad().raw_data());
  expect_near(held, tensor({1.5, 2.0}), 1e-6);
}

TEST(ClipGradNorm, OfNothingIsZero) {
  expect_equal(clip_grad_norm_({}, 1), zeros({}));
  expect_equal(clip_grad_norm_(with_gradients({Tensor(), zeros({0})}), 1), zeros({}));
}

TEST(ClipGradNorm, CarriesNaN) {
  const auto params = with_gradients({tensor({1.0, std::nan("")}), tensor({5.0})});
  EXPECT_TRUE(std::isnan(clip_grad_norm_(params, 1).item<double>()));
  EXPECT_TRUE(std::isnan(params[1].grad().item<double>()));
}

TEST(ClipGradNorm, FailsForANormThatIsNotFiniteWhenAsked) {
  const auto params = with_gradients({tensor({1.0, kInf}), tensor({5.0})});
  EXPECT_EQ(error_of([&] { clip_grad_norm_(params, 1, 2, true); }),
            "clip_grad_norm_: expected gradients with a finite norm, got inf");
  expect_equal(params[1].grad(), tensor({5.0}));
  EXPECT_EQ(clip_grad_norm_(with_gradients({tensor({3.0, 4.0})}), 1, 2, true).item<double>(), 5);
}

TEST(ClipGradValue, ClampsEachElement) {
  const auto params = with_gradients({tensor({-3.0, 0.5, 2.0}), Tensor(), tensor({{4.0}})});
  const Tensor held = params[0].grad();
  clip_grad_value_(params, 1.5);
  expect_equal(held, tensor({-1.5, 0.5, 1.5}));
  expect_equal(params[2].grad(), tensor({{1.5}}));
  EXPECT_FALSE(params[1].grad().defined());
}

TEST(ClipGrad, RefusesBadArguments) {
  EXPECT_EQ(error_of([] { clip_grad_norm_({}, 1, 3); }),
            "clip_grad_norm_: expected a norm_type of 2 or infinity, got 3");
  EXPECT_EQ(error_of([] { clip_grad_norm_({}, -1); }),
            "clip_grad_norm_: expected max_norm >= 0, got -1");
  const Tensor x = zeros({2, 3});
  EXPECT_EQ(error_of([&] {
              clip_grad_norm_(Tensors{x, x}, 1);
            }),
            "clip_grad_norm_: expected each parameter once, got one of shape [2, 3] twice");
  EXPECT_EQ(error_of([] { clip_grad_value_({}, std::nan("")); }),
            "clip_grad_value_: expected value >= 0, got nan");
}

TEST(ClipGrad, CanBeTraced) {
  const auto params = with_gradients({tensor({3.0, 4.0}), tensor({{1.0}})});
  const Graph graph = trace(
      [&](const Tensors&) {
        clip_grad_value_(params, 2);
        return clip_grad_norm_(params, 1);
      },
      {});
  EXPECT_EQ(graph.updates.size(), 2U);
  EXPECT_EQ(graph.outputs.size(), 1U);
  expect_equal(params[0].grad(), tensor({3.0, 4.0}));
}

}  // namespace
}  // namespace reprise::nn
