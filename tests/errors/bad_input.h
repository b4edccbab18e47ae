#pragma once
// Bad input: each row must throw a reprise::Error of its kind whose text has all the parts, and
// leave operands, versions and memory as they were.

#include <functional>
#include <string>
#include <vector>

#include "../../core/ops.h"

namespace reprise::test {

struct BadInput {
  std::string what;
  ErrorKind kind;
  std::vector<std::string> parts;
  std::vector<Tensor> operands;
  std::function<void(const std::vector<Tensor>& x)> run;
};

using Rows = std::vector<BadInput>;
using In = const std::vector<Tensor>&;

void expect_refused(const Rows& rows);

inline Tensor f32(const Shape& shape) { return zeros(shape); }
inline Tensor f64(const Shape& shape) { return zeros(shape, {.dtype = float64}); }
inline Tensor i64(const Shape& shape) { return zeros(shape, {.dtype = int64}); }
inline Tensor leaf(const Shape& shape) { return ones(shape, {.requires_grad = true}); }

}  // namespace reprise::test
