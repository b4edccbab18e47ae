#pragma once
// Ops that draw from the counter-based generator (../random.h). RandomBlocks takes blocks from it;
// what they are used for depends on them alone: element i of a result is element i of their stream.

#include "../op.h"

namespace reprise {

/// () -> int64[2]: the seed of the default generator and the first of the blocks that it hands out
/// for `count` elements, both as the bits of a uint64. Draws when it runs, so a program draws anew
/// at each replay; on the meta device nothing is drawn.
struct RandomBlocks {
  int64_t count;
  Device device;
  static constexpr std::string_view name = "random_blocks";
  static constexpr bool effects = true;
  auto tie() const { return std::tuple(Attr("count", count), Attr("device", device)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (counter int64[2]) -> int64[2]: what the counter says, which is then raised by the blocks for
/// `count` elements. Programs of a GPU have it in place of RandomBlocks: it reads no host memory.
struct NextBlocks {
  int64_t count;
  static constexpr std::string_view name = "next_blocks";
  static constexpr unsigned writes = 0b1;
  auto tie() const { return std::tuple(Attr("count", count)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (blocks) -> uniform in [low, high), or normal with mean `low` and standard deviation `high` when
/// `normal`.
struct Random {
  Shape shape;
  DType dtype;
  bool normal;
  double low, high;
  static constexpr std::string_view name = "random";
  auto tie() const {
    return std::tuple(Attr("shape", shape), Attr("dtype", dtype), Attr("normal", normal),
                      Attr("low", low), Attr("high", high));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (x, blocks) -> zero with probability p, else x / (1 - p) (Srivastava et al., 2014). Linear in x
/// for given blocks, so its gradient is itself.
struct Dropout {
  double p;
  static constexpr std::string_view name = "dropout";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_in = 0b10;
  static constexpr bool follows_format = true, channels_last_on_cuda = true;
  auto tie() const { return std::tuple(Attr("p", p)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
