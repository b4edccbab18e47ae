#pragma once
// Ops that draw from the counter-based generator (../random.h): element i of a result depends on
// seed, offset and i alone.

#include "../op.h"

namespace reprise {

/// Uniform in [low, high), or normal with mean `low` and standard deviation `high` when `normal`.
struct Random {
  Shape shape;
  DType dtype;
  Device device;
  bool normal;
  double low, high;
  uint64_t seed, offset;
  static constexpr std::string_view name = "random";
  auto tie() const {
    return std::tuple(Attr("shape", shape), Attr("dtype", dtype), Attr("device", device),
                      Attr("normal", normal), Attr("low", low), Attr("high", high),
                      Attr("seed", seed), Attr("offset", offset));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// Zero with probability p, else x / (1 - p) (Srivastava et al., 2014). Linear in x for given
/// numbers, so its gradient is itself.
struct Dropout {
  double p;
  uint64_t seed, offset;
  static constexpr std::string_view name = "dropout";
  auto tie() const { return std::tuple(Attr("p", p), Attr("seed", seed), Attr("offset", offset)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
