#pragma once
// Many tensors of any sizes moved together: parameters by an optimizer, gradients by a scaler,
// copies. The dense ones are cut into chunks, a block for each, and go through one launch however
// small they are. Tables of them travel in the arguments of the kernel, so a graph can capture it
// all; what is beyond a table takes another launch, and what does not lie dense one by itself.
//
// A rule says how an element moves: `Operands`, a tuple of the types of their elements, which of
// them it `writes` (bit k), numbers_of(parameter), what its elements share, whether it `skips`
// those, and operator()(numbers, x...) with an element of each operand. What a thread's elements
// leave in its numbers it may finish(numbers, chunk), where chunks count from `parameter` on.

#include "../foreach_chunks.h"
#include "launch.cuh"
#include "pack.cuh"
#include "walk.cuh"

namespace reprise::cuda {

// The arguments of a kernel: 4096 bytes at most. Newer drivers take 32764, but every launch would
// copy them, to save one for each hundred tensors.
inline constexpr size_t kPartTableBytes = 3840;
inline constexpr int64_t kChunk = kForeachChunk;  // elements of a block

template <class Rule>
inline constexpr size_t kOperands = std::tuple_size_v<typename Rule::Operands>;
template <class Rule, size_t K>
using ElementOf = std::tuple_element_t<K, typename Rule::Operands>;
template <class Rule>
using OperandIndices = std::make_index_sequence<kOperands<Rule>>;

/// A tensor that is moved with those that belong to it.
template <class Rule>
struct Part {
  void* operands[kOperands<Rule>];
  int64_t numel;
  unsigned parameter;
  unsigned first_block;

  template <size_t K>
  __device__ ElementOf<Rule, K>* operand() const {
    return static_cast<ElementOf<Rule, K>*>(operands[K]);
  }
};
template <class Rule>
Part<Rule> part_of(std::span<const View> operands, size_t parameter, unsigned first_block = 0) {
  Part<Rule> part{{}, operands[0].meta->numel(), static_cast<unsigned>(parameter), first_block};
  auto** to = part.operands;
  for (const View& operand : operands) *to++ = operand.data;
  return part;
}

// ---- dense ------------------------------------------------------------------------------------

template <class Rule>
struct PartTable {
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

/// W elements of an operand, read and written at once where they lie aligned to that.
template <int W, size_t K, class Rule>
struct PartPack {
  __device__ PartPack(const Part<Rule>& part, int64_t i, bool whole)
      : place(part.template operand<K>() + i), aligned(whole) {
    if (aligned) {
      load_pack(x, place);
    } else {
      for (int lane = 0; lane < W; ++lane) x[lane] = place[lane];
    }
  }
  __device__ void write() const {
    if constexpr ((Rule::writes >> K & 1) == 0) return;
    if (aligned) return store_pack(place, x);
    for (int lane = 0; lane < W; ++lane) place[lane] = x[lane];
  }

  ElementOf<Rule, K> x[W];
  ElementOf<Rule, K>* place;
  bool aligned;
};

/// Elements [begin, end), W at a time; their number is a multiple of W.
template <int W, class Rule, class Numbers, size_t... K>
__device__ void move_elements(const Rule& rule, Numbers& numbers, const Part<Rule>& part,
                              int64_t begin, int64_t end, bool aligned, std::index_sequence<K...>) {
  for (int64_t i = begin + int64_t{threadIdx.x} * W; i < end; i += int64_t{blockDim.x} * W) {
    const auto move = [&](auto... packs) {
      for (int lane = 0; lane < W; ++lane) rule(numbers, packs.x[lane]...);
      (packs.write(), ...);
    };
    move(PartPack<W, K, Rule>(part, i, aligned)...);
  }
}

template <class Rule>
__device__ bool is_aligned(const Part<Rule>& part) {
  uintptr_t bits = 0;
  for (const void* operand : part.operands) bits |= reinterpret_cast<uintptr_t>(operand);
  return bits % 16 == 0;
}

template <class... T>
constexpr int pack_width(const std::tuple<T...>*) {
  return 16 / static_cast<int>(std::max({sizeof(T)...}));
}

template <class Rule>
__global__ void move_parts(const __grid_constant__ PartTable<Rule> table, int count, Rule rule) {
  constexpr int W = pack_width(static_cast<typename Rule::Operands*>(nullptr));
  const Part<Rule>& part = table.of_block(blockIdx.x, count);
  auto numbers = rule.numbers_of(part.parameter);
  if (rule.skips(numbers)) return;
  const unsigned chunk = blockIdx.x - part.first_block;
  const int64_t begin = chunk * kChunk;
  const int64_t end = begin + kChunk < part.numel ? begin + kChunk : part.numel;
  const int64_t whole = end - (end - begin) % W;
  move_elements<W>(rule, numbers, part, begin, whole, is_aligned(part), OperandIndices<Rule>());
  move_elements<1>(rule, numbers, part, whole, end, true, OperandIndices<Rule>());
  if constexpr (requires { rule.finish(numbers, chunk); })
    rule.finish(numbers, part.parameter + chunk);
}

// ---- any strides ------------------------------------------------------------------------------

template <class Rule, class Numbers, size_t... K>
__device__ void move_apart(const Rule& rule, Numbers& numbers, const Part<Rule>& part,
                           const Places<kOperands<Rule>, 1>& places, std::index_sequence<K...>) {
  const auto move = [&](auto... x) {
    rule(numbers, x...);
    ((Rule::writes >> K & 1 ? void(part.template operand<K>()[places.at[K][0]] = x) : void()), ...);
  };
  move(part.template operand<K>()[places.at[K][0]]...);
}

template <class Rule>
__global__ void move_strided(Rule rule, Part<Rule> part,
                             const __grid_constant__ Walk<kOperands<Rule>> walk) {
  auto numbers = rule.numbers_of(part.parameter);
  if (rule.skips(numbers)) return;
  for (int64_t i = first_index(); i < walk.packs; i += index_step()) {
    move_apart(rule, numbers, part, walk.template find<1>(static_cast<uint32_t>(i)),
               OperandIndices<Rule>());
  }
}

template <class Rule>
void launch_strided(const Rule& rule, Stream stream, const Part<Rule>& part, const Layout& layout) {
  constexpr int64_t kMostInLaunch = int64_t{1} << 30;  // 32 bits find the place of an element
  for_each_part(layout, kMostInLaunch, [&](const Layout& some) {
    launch(stream, blocks_for(some.numel()), kThreads, move_strided<Rule>, rule, part,
           Walk<kOperands<Rule>>(some, 1));
  });
}

// ---- together ---------------------------------------------------------------------------------

/// Collects dense parts and launches them, a table at a time.
template <class Rule>
class DenseParts {
 public:
  DenseParts(const Rule& rule, Stream stream) : rule_(rule), stream_(stream) {}

  void add(std::span<const View> operands, size_t parameter) {
    if (count_ == PartTable<Rule>::most) run();
    const Part<Rule> part = part_of<Rule>(operands, parameter, blocks_);
    if (part.numel == 0) return;
    table_.parts[count_++] = part;
    blocks_ += static_cast<unsigned>((part.numel + kChunk - 1) / kChunk);
  }
  void run() {
    if (count_ == 0) return;
    launch(stream_, dim3(blocks_), kThreads, move_parts<Rule>, table_, static_cast<int>(count_),
           rule_);
    count_ = 0;
    blocks_ = 0;
  }

 private:
  Rule rule_;
  Stream stream_;
  PartTable<Rule> table_;
  size_t count_ = 0;
  unsigned blocks_ = 0;
};

template <class Rule, size_t... K>
bool has_elements_of(std::span<const View> operands, std::index_sequence<K...>) {
  return ((operands[K].meta->dtype == dtype_of<ElementOf<Rule, K>>()) && ...);
}

/// Runs the rule on all parts of its element types. From input `first` on each part has `period`
/// inputs, of which the rule takes the first ones.
template <class Rule>
void move_all(const Rule& rule, const Launch& l, size_t first, size_t period) {
  DenseParts<Rule> dense(rule, l.stream);
  for (size_t i = 0; first + (i + 1) * period <= l.in.size(); ++i) {
    const auto operands = l.in.subspan(first + i * period, kOperands<Rule>);
    if (!has_elements_of<Rule>(operands, OperandIndices<Rule>())) continue;
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
