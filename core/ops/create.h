#pragma once
// Ops that make values from nothing.

#include "../op.h"
#include "../scalar.h"

namespace reprise {

struct Full {
  Shape shape;
  Scalar value = 0;
  DType dtype;
  Device device;
  static constexpr std::string_view name = "full";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("shape", shape), Attr("value", value), Attr("dtype", dtype),
                      Attr("device", device));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// start, start + step, ... : `size` elements.
struct Arange {
  Scalar start = 0, step = 1;
  int64_t size;
  DType dtype;
  Device device;
  static constexpr std::string_view name = "arange";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("start", start), Attr("step", step), Attr("size", size),
                      Attr("dtype", dtype), Attr("device", device));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
