#pragma once
// Rows of core/ops/create.h and random.h. Operands give a shape and a dtype to ops that have no
// input.

#include "../../core/dispatch.h"
#include "../../core/ops/create.h"
#include "../../core/ops/random.h"
#include "../../core/philox.h"
#include "../../core/random.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

inline constexpr uint64_t kSeed = 5, kOffset = 3;

inline Tensor blocks() {
  return tensor({static_cast<int64_t>(kSeed), static_cast<int64_t>(kOffset)});
}

/// Element i of a stream of floats.
inline double uniform_at(size_t i) {
  constexpr auto per_block = static_cast<size_t>(kPerBlock<float>);
  return static_cast<double>(uniform<float>(random_block(kSeed, kOffset + i / per_block),
                                            static_cast<int>(i % per_block)));
}

inline OpRow filling_row(std::string name, std::function<Tensor(const Tensor&)> f,
                         std::function<double(size_t)> element) {
  OpRow row;
  row.name = std::move(name);
  row.f = [f](const Tensors& in) { return Tensors{f(in[0])}; };
  row.reference = [element](const Arrays& in) {
    Array out(in[0].shape);
    for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = element(i);
    return Arrays{out};
  };
  row.operands = {{{60}}};
  row.sizes = elementwise_sizes(row.operands);
  row.differentiable = false;
  row.propagates_nan = false;
  row.symbolic = false;
  return row;
}

REPRISE_ROW(Full, with_integers(filling_row(
                      "full",
                      [](const Tensor& x) {
                        return full(x.shape(), 3, {.dtype = x.dtype(), .device = x.device()});
                      },
                      [](size_t) { return 3.0; })))
REPRISE_ROW(Arange, with_integers(filling_row(
                        "arange",
                        [](const Tensor& x) {
                          return arange(2, 2 + 3 * x.numel(), 3,
                                        {.dtype = x.dtype(), .device = x.device()});
                        },
                        [](size_t i) { return 2.0 + 3.0 * static_cast<double>(i); })))
REPRISE_ROW(RandomBlocks, [] {
  OpRow row = filling_row(
      "random_blocks",
      [](const Tensor& x) {
        manual_seed(kSeed);
        (void)apply(RandomBlocks{7, x.device()});  // four blocks of two doubles
        return apply(RandomBlocks{x.numel(), x.device()}).to(x.dtype());
      },
      [](size_t i) { return i == 0 ? static_cast<double>(kSeed) : 4.0; });
  row.operands = {{{2}}};
  row.any_batch = false;
  return row;
}())
REPRISE_ROW(NextBlocks, [] {
  OpRow row = filling_row(
      "next_blocks",
      [](const Tensor& x) {
        const auto seed = static_cast<int64_t>(kSeed);
        const Tensor counter = full({2}, seed, {.dtype = int64, .device = x.device()});
        (void)apply(NextBlocks{7}, counter);
        return apply(NextBlocks{x.numel()}, counter).to(x.dtype());
      },
      [](size_t i) { return static_cast<double>(kSeed) + (i == 0 ? 0.0 : 4.0); });
  row.operands = {{{2}}};
  row.any_batch = false;
  return row;
}())
REPRISE_ROW(Random, filling_row(
                        "random",
                        [](const Tensor& x) {
                          return apply(Random{x.shape(), float32, false, 0, 1},
                                       blocks().to(x.device()))
                              .to(x.dtype());
                        },
                        uniform_at))
REPRISE_ROW(Dropout, [] {
  OpRow row;
  row.name = "dropout";
  row.f = [](const Tensors& in) {
    return Tensors{apply(Dropout{0.4}, in[0], blocks().to(beside(in[0])))};
  };
  row.reference = [](const Arrays& in) {
    Array out(in[0].shape);
    for (size_t i = 0; i < out.values.size(); ++i) {
      out.values[i] = uniform_at(i) >= 0.4 ? in[0].values[i] / 0.6 : 0;
    }
    return Arrays{out};
  };
  row.operands = {{{3, 2, 2, 5}}};
  row.sizes = elementwise_sizes(row.operands);
  row.propagates_nan = false;
  return row;
}())

}  // namespace reprise::op_rows
