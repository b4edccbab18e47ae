#pragma once
// Many tensors of any sizes moved in place together: parameters by an optimizer, gradients by a
// scaler. The dense ones are cut into chunks, a block for each, and go through one launch however
// small they are. Tables of them travel in the arguments of the kernel, so a graph can capture it
// all; what is beyond a table takes another launch, and what does not lie dense one by itself.
//
// A rule says how an element moves: `T`, the number of `operands`, which of them it `writes` (bit
// k), numbers_of(parameter), what its elements share, whether it `skips` those, and
// operator()(numbers, x) with x[k] of operand k.

#include "launch.cuh"
#include "walk.cuh"

namespace reprise::cuda {

inline constexpr size_t kPartTableBytes = 3840;  // the arguments of a kernel: 4096 bytes at most
inline constexpr int64_t kChunk = 4096;          // elements of a block

/// A tensor that is moved with those that belong to it.
template <class Rule>
struct Part {
  typename Rule::T* operands[Rule::operands];
  int64_t numel;
  unsigned parameter;
  unsigned first_block;
};
template <class Rule>
Part<Rule> part_of(std::span<const View> operands, size_t parameter, unsigned first_block = 0) {
  Part<Rule> part{{}, operands[0].meta->numel(), static_cast<unsigned>(parameter), first_block};
  auto** to = part.operands;
  for (const View& operand : operands) *to++ = operand.as<typename Rule::T>();
  return part;
}

// ---- dense ------------------------------------------------------------------------------------

template <class Rule>
struct Parts {
  static constexpr size_t most = kPartTableBytes / sizeof(Part<Rule>);
  Part<Rule> parts[most];

  /// The part that a block belongs to.
  __device__ const Part<Rule>& of_block(unsigned block, int count) const {
    int low = 0;
    for (int high = count; high - low > 1;) {
      const int middle = (low + high) / 2;
      (parts[middle].first_block <= block ? low : high) = middle;
    }
    return parts[low];
  }
};

/// Elements [begin, end), W at a time; their number is a multiple of W.
template <int W, class Rule, class Numbers>
__device__ void move_elements(const Rule& rule, const Numbers& numbers, const Part<Rule>& part,
                              int64_t begin, int64_t end) {
  using Elements = Pack<typename Rule::T, W>;
  for (int64_t i = begin + int64_t{threadIdx.x} * W; i < end; i += int64_t{blockDim.x} * W) {
    Elements all[Rule::operands];
    for (int k = 0; k < Rule::operands; ++k) {
      const auto* place = __builtin_assume_aligned(part.operands[k] + i, sizeof(Elements));
      all[k] = *static_cast<const Elements*>(place);
    }
    for (int lane = 0; lane < W; ++lane) {
      typename Rule::T x[Rule::operands];
      for (int k = 0; k < Rule::operands; ++k) x[k] = all[k].v[lane];
      rule(numbers, x);
      for (int k = 0; k < Rule::operands; ++k) all[k].v[lane] = x[k];
    }
    for (int k = 0; k < Rule::operands; ++k) {
      if (Rule::writes >> k & 1) *reinterpret_cast<Elements*>(part.operands[k] + i) = all[k];
    }
  }
}

template <class Rule>
__device__ bool is_aligned(const Part<Rule>& part) {
  uintptr_t bits = 0;
  for (const auto* operand : part.operands) bits |= reinterpret_cast<uintptr_t>(operand);
  return bits % 16 == 0;
}

template <class Rule>
__global__ void move_parts(const __grid_constant__ Parts<Rule> parts, int count, Rule rule) {
  constexpr int W = 16 / sizeof(typename Rule::T);
  const Part<Rule>& part = parts.of_block(blockIdx.x, count);
  const auto numbers = rule.numbers_of(part.parameter);
  if (rule.skips(numbers)) return;
  const int64_t begin = (blockIdx.x - part.first_block) * kChunk;
  const int64_t end = begin + kChunk < part.numel ? begin + kChunk : part.numel;
  const int64_t whole = is_aligned(part) ? end - (end - begin) % W : begin;
  move_elements<W>(rule, numbers, part, begin, whole);
  move_elements<1>(rule, numbers, part, whole, end);
}

/// Collects parts and launches them, a table at a time.
template <class Rule>
class DenseParts {
 public:
  DenseParts(const Rule& rule, Stream stream) : rule_(rule), stream_(stream) {}

  void add(std::span<const View> operands, size_t parameter) {
    if (count_ == Parts<Rule>::most) run();
    const Part<Rule> part = part_of<Rule>(operands, parameter, blocks_);
    if (part.numel == 0) return;
    table_.parts[count_++] = part;
    blocks_ += static_cast<unsigned>((part.numel + kChunk - 1) / kChunk);
  }
  void run() {
    launch(stream_, dim3(blocks_), kThreads, move_parts<Rule>, table_, static_cast<int>(count_),
           rule_);
    count_ = 0;
    blocks_ = 0;
  }

 private:
  Rule rule_;
  Stream stream_;
  Parts<Rule> table_;
  size_t count_ = 0;
  unsigned blocks_ = 0;
};

// ---- any strides ------------------------------------------------------------------------------

template <class Rule>
__global__ void move_strided(Rule rule, Part<Rule> part,
                             const __grid_constant__ Walk<Rule::operands> walk) {
  const auto numbers = rule.numbers_of(part.parameter);
  if (rule.skips(numbers)) return;
  for (int64_t i = first_index(); i < walk.packs; i += index_step()) {
    const auto places = walk.template find<1>(static_cast<uint32_t>(i));
    typename Rule::T x[Rule::operands];
    for (int k = 0; k < Rule::operands; ++k) x[k] = part.operands[k][places.at[k][0]];
    rule(numbers, x);
    for (int k = 0; k < Rule::operands; ++k) {
      if (Rule::writes >> k & 1) part.operands[k][places.at[k][0]] = x[k];
    }
  }
}

template <class Rule>
void launch_strided(const Rule& rule, Stream stream, const Part<Rule>& part, const Layout& layout) {
  constexpr int64_t kMostInLaunch = int64_t{1} << 30;  // 32 bits find the place of an element
  for_each_part(layout, kMostInLaunch, [&](const Layout& some) {
    launch(stream, blocks_for(some.numel()), kThreads, move_strided<Rule>, rule, part,
           Walk<Rule::operands>(some, 1));
  });
}

/// Runs the rule on all parts of its element type. The first input of the launch is a number; then
/// each part has `period` inputs, of which the rule takes the first ones.
template <class Rule>
void move_all(const Rule& rule, const Launch& l, size_t period) {
  DenseParts<Rule> dense(rule, l.stream);
  for (size_t i = 0; (i + 1) * period < l.in.size(); ++i) {
    const auto operands = l.in.subspan(1 + i * period, Rule::operands);
    if (operands[0].meta->dtype != dtype_of<typename Rule::T>()) continue;
    const Layout layout(operands);
    if (layout.is_dense()) {
      dense.add(operands, i);
    } else {
      launch_strided(rule, l.stream, part_of<Rule>(operands, i), layout);
    }
  }
  dense.run();
}

}  // namespace reprise::cuda
