#pragma once
// What the tests of core share.

#include <gtest/gtest.h>

#include <cmath>

#include "../../core/ops.h"

namespace reprise::test {

/// Shape, dtype and values alike; NaN equals NaN. Lists of numbers make the expected tensor.
inline void expect_tensor(const Tensor& got, const Tensor& expected, double tolerance = 0) {
  ASSERT_EQ(to_string(got.shape()), to_string(expected.shape()));
  ASSERT_EQ(got.dtype(), expected.dtype());
  const auto x = got.to_vector<double>(), y = expected.to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(y[i]) || std::isinf(y[i])) {
      EXPECT_TRUE(x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) << "element " << i;
    } else {
      EXPECT_NEAR(x[i], y[i], tolerance) << "element " << i;
    }
  }
}

/// `f` throws an Error of that kind whose text holds all the parts.
template <class F>
void expect_error(F f, ErrorKind kind, const std::vector<std::string>& parts) {
  try {
    f();
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "\"" << error.what() << "\" has no \"" << part << '"';
    }
  }
}

}  // namespace reprise::test
