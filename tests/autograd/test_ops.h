#pragma once
// Ops of the tests' own, which tell what autograd did with them, and ways to ask for errors.

#include <gtest/gtest.h>

#include <string>

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/ops.h"

namespace reprise::test {

/// (a, b) -> (a * b, a + b, an int64 without meaning); dense, of one shape. Counts what backward
/// asks.
struct TwoAndIndex {
  static constexpr std::string_view name = "two_and_index";
  static constexpr unsigned save_in = 0b11;
  static inline int vjps = 0;
  static inline int gradients = 0;
  static inline bool product_used = false, sum_used = false;

  static void reset() { vjps = gradients = 0; }
  Metas infer(std::span<const Meta> in) const {
    const Meta& m = in[0];
    return {Meta(m.shape, m.dtype), Meta(m.shape, m.dtype), Meta(m.shape, int64)};
  }
  void cpu(const Launch& l) const {
    for (int64_t i = 0; i < l.in[0].meta->numel(); ++i) {
      const double a = l.in[0].as<double>()[i], b = l.in[1].as<double>()[i];
      l.out[0].as<double>()[i] = a * b;
      l.out[1].as<double>()[i] = a + b;
      l.out[2].as<int64_t>()[i] = i;
    }
  }
  void cuda(const Launch&) const {}
  Tensors vjp(const Vjp& v) const {
    ++vjps;
    product_used = v.gy[0].defined();
    sum_used = v.gy[1].defined();
    Tensors out(2);
    for (size_t i = 0; i < 2; ++i) {
      if (!v.needs[i]) continue;
      ++gradients;
      Tensor g = product_used ? v.gy[0] * v.in[1 - i] : zeros_like(v.gy[1]);
      out[i] = sum_used ? g + v.gy[1] : g;
    }
    return out;
  }
};

/// The kind and text of the error that `f` throws.
template <class F>
std::string error_of(F&& f, ErrorKind kind = ErrorKind::Autograd) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(to_string(e.kind()), to_string(kind)) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "expected an error";
  return {};
}

inline Tensor leaf(const std::vector<double>& values) {
  return tensor(values, {.dtype = float64, .requires_grad = true});
}

using Values = std::vector<double>;
inline Values values(const Tensor& t) { return t.to_vector<double>(); }

}  // namespace reprise::test

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)
