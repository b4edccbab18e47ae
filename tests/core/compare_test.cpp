#include "../../core/compare.h"

#include <limits>

#include "../layers/helpers.h"
#include "expect.h"

namespace reprise {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Compare, EqualIsEveryValueAndTheShape) {
  const Tensor a = tensor({{1.0, 2.0}, {3.0, 4.0}});
  EXPECT_TRUE(equal(a, a.clone()) && equal(a.t(), tensor({{1.0, 3.0}, {2.0, 4.0}})));
  EXPECT_TRUE(equal(a, a.to(float64)) && equal(zeros({0}), zeros({0})));
  EXPECT_TRUE(equal(ones({2}, {.requires_grad = true}), ones({2})));
  EXPECT_FALSE(equal(a, a + tensor({0.0, 1e-6})) || equal(a, a[0]) || equal(ones({2}), ones({1})));
  EXPECT_FALSE(equal(tensor(kNan), tensor(kNan)));
}

TEST(Compare, Allclose) {
  struct Row {
    Tensor a, b;
    bool close;
    AllcloseOptions options = {};
  };
  const std::vector<Row> rows{
      {tensor({1.0, 100.0}), tensor({1.0, 100.0005}), true},
      {tensor({1.0, 100.0}), tensor({1.0, 100.01}), false},
      {tensor({1.0, 100.0}), tensor({1.0, 100.01}), true, {.rtol = 1e-3}},
      {tensor({0.0}), tensor({1e-3}), false, {.rtol = 1e-2}},
      {tensor({0.0}), tensor({1e-3}), true, {.atol = 1e-2}},
      {ones({2, 3}), ones({3}), true},
      {zeros({0}), zeros({0}), true},
      {tensor({kInf, -kInf}), tensor({kInf, -kInf}), true},
      {tensor({1.0}), tensor({kInf}), false},
      {tensor({kInf}), tensor({-kInf}), false},
      {tensor({kNan}), tensor({kNan}), false},
      {tensor({kNan, 1.0}), tensor({kNan, 1.0}), true, {.equal_nan = true}},
      {tensor({kNan}), tensor({1.0}), false, {.equal_nan = true}},
      {tensor({1, 2}), tensor({1, 2}), true},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(allclose(rows[i].a, rows[i].b, rows[i].options), rows[i].close) << i;
  }
  EXPECT_EQ(test::error_of([] { allclose(ones({2}), ones({3})); }),
            "sub: shapes [2] and [3] do not broadcast: expected sizes equal or 1, got 2 and 3");
}

}  // namespace
}  // namespace reprise
