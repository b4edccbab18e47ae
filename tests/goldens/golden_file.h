#pragma once
// The golden files that PyTorch wrote (../shared/goldens/make_goldens.py says how).

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "../../io/safetensors.h"

namespace reprise::test {

/// Path of a golden file; empty where there is no folder of them.
inline std::string golden_path(const std::string& name) {
  const char* shared = std::getenv("REPRISE_SHARED");
  return shared == nullptr ? "" : std::string(shared) + "/goldens/" + name + ".safetensors";
}

/// Every element within `tolerance`, absolute below `scale` and relative to it above.
inline void expect_close(const Tensor& got, const Tensor& expected, double tolerance, double scale,
                         const std::string& what) {
  ASSERT_EQ(to_string(got.shape()), to_string(expected.shape())) << what;
  ASSERT_EQ(got.dtype(), expected.dtype()) << what;
  const auto x = got.to_vector<double>(), y = expected.to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(std::isnan(x[i]) ? INFINITY : std::abs(x[i] - y[i]),
              tolerance * std::max(scale, std::abs(y[i])))
        << what << ", element " << i << ": " << x[i] << " instead of " << y[i];
  }
}

}  // namespace reprise::test
