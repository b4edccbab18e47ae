// Random and Dropout: element i of a tensor in row-major order is element i of the stream of
// core/philox.h from the given block on, wherever it is computed. Words are drawn in batches, by
// vectors (simd/random.h). RandomBlocks says which blocks are next.

#include "../../core/ops/random.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "../../core/random.h"
#include "nest.h"
#include "simd/random.h"

namespace reprise {
namespace {

constexpr int64_t kBatch = 256;  // blocks drawn at a time

/// What an int64[2] of RandomBlocks says.
struct Blocks {
  uint64_t seed, first;

  explicit Blocks(const View& view) {
    const auto* bits = view.as<int64_t>();
    seed = static_cast<uint64_t>(bits[0]);
    first = static_cast<uint64_t>(bits[view.meta->strides[0]]);
  }
};

/// Elements 2 pair and 2 pair + 1 of a block, uniform or normal.
template <class T>
NormalPair<T> draw_pair(const RandomBlock& block, int pair, bool normal) {
  if (normal) return normal_pair<T>(block, pair);
  return {{uniform<T>(block, 2 * pair), uniform<T>(block, 2 * pair + 1)}};
}

/// The elements of `n` of the blocks from number `skipped` on, with the bounds, or mean and
/// deviation, of `op`.
template <class T>
void draw(const Random& op, const Blocks& blocks, int64_t skipped, int64_t n, T* to) {
  uint32_t words[4 * kBatch];
  cpu::random_table().words(blocks.seed, blocks.first + static_cast<uint64_t>(skipped), n, words);
  const T shift = static_cast<T>(op.low);
  const T scale = static_cast<T>(op.normal ? op.high : op.high - op.low);
  const T last = op.normal ? std::numeric_limits<T>::infinity()  // rounding must not reach `high`
                           : std::nextafter(static_cast<T>(op.high), shift);
  for (int64_t b = 0; b < n; ++b) {
    RandomBlock block;
    std::memcpy(&block, words + 4 * b, sizeof block);
    for (int pair = 0; pair < kPerBlock<T> / 2; ++pair) {
      for (T x : draw_pair<T>(block, pair, op.normal).value) {
        *to++ = std::min(x * scale + shift, last);
      }
    }
  }
}

/// Where element i in row-major order lies, counted in elements.
int64_t position(const Meta& meta, int64_t i) {
  int64_t at = 0;
  for (size_t d = meta.shape.size(); d-- > 0; i /= meta.shape[d]) {
    at += i % meta.shape[d] * meta.strides[d];
  }
  return at;
}

template <class T>
void put(const View& out, bool dense, int64_t first, int64_t n, const T* values) {
  T* to = out.as<T>();
  if (dense) return static_cast<void>(std::copy_n(values, n, to + first));
  for (int64_t i = 0; i < n; ++i) to[position(*out.meta, first + i)] = values[i];
}

constexpr cpu::BlockSize kBlockSize{.elements = 2048, .transposed_rows = 16};

/// One row of a block of Dropout; `first` is the row-major index of its first element. Which ones
/// are dropped does not depend on the dtype: the stream is one of floats.
template <class T>
void drop_row(double p, const Blocks& blocks, int64_t first, int64_t n, T* to, const T* from,
              int64_t step) {
  uint32_t words[kBlockSize.elements + 8];
  const int64_t skipped = first % 4, block = first / 4;
  cpu::random_table().words(blocks.seed, blocks.first + static_cast<uint64_t>(block),
                            (skipped + n + 3) / 4, words);
  const auto keep_from = static_cast<float>(p);
  const T scale = static_cast<T>(1 / (1 - p));
  for (int64_t c = 0; c < n; ++c) {
    const bool keep = uniform<float>({{words[skipped + c], 0, 0, 0}}, 0) >= keep_from;
    const T scaled = from[c * step] * scale;
    to[c] = keep ? scaled : T(0);
  }
}

}  // namespace

void RandomBlocks::cpu(const Launch& l) const {
  Generator& generator = default_generator();
  auto* bits = l.out[0].as<int64_t>();
  bits[0] = static_cast<int64_t>(generator.seed());
  bits[1] = static_cast<int64_t>(generator.reserve(static_cast<uint64_t>(count)));
}

void NextBlocks::cpu(const Launch& l) const {
  const View& counter = l.in[0];
  auto& next = counter.as<int64_t>()[counter.meta->strides[0]];
  auto* bits = l.out[0].as<int64_t>();
  bits[0] = *counter.as<int64_t>();
  bits[1] = next;
  next += static_cast<int64_t>(random_blocks_for(static_cast<uint64_t>(count)));
}

void Random::cpu(const Launch& l) const {
  const View& out = l.out[0];
  const Blocks blocks(l.in[0]);
  visit_floating(name, dtype, [&]<class T>() {
    const bool dense = out.meta->is_contiguous();
    constexpr int64_t kStep = kBatch * kPerBlock<T>;
    parallel_for(out.meta->numel(), 16 * kStep, [&](int64_t begin, int64_t end) {
      T values[kStep];
      for (int64_t i = begin; i < end; i += kStep) {
        const int64_t n = std::min(kStep, end - i);
        draw(*this, blocks, i / kPerBlock<T>, (n - 1) / kPerBlock<T> + 1, values);
        put(out, dense, i, n, values);
      }
    });
  });
}

void Dropout::cpu(const Launch& l) const {
  const View operands[] = {l.out[0], l.in[0]};
  const Blocks blocks(l.in[1]);
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    constexpr int64_t kSize = sizeof(T);
    const cpu::Nest nest(operands, kBlockSize);
    nest.for_each_block([&](const cpu::Block& block) {
      const auto [to, from] = std::pair(block.parts[0], block.parts[1]);
      for (int64_t r = 0; r < block.rows; ++r) {
        T* row = reinterpret_cast<T*>(to.data + r * to.row);
        drop_row(p, blocks, row - l.out[0].as<T>(), block.columns, row,
                 reinterpret_cast<const T*>(from.data + r * from.row), from.column / kSize);
      }
    });
  });
}

}  // namespace reprise
