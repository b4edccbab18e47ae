// Random and Dropout: element i of a tensor in row-major order is element i of the stream of
// core/philox.h, wherever it is computed. Blocks of four floats or two doubles are drawn at a time.

#include "../../core/random.h"

#include <cmath>

#include "../../core/ops/random.h"
#include "nest.h"

namespace reprise {
namespace {

/// Calls put(i, value) for i in [begin, end) with value = scale * (element i) + shift; `begin`
/// starts a block.
template <class T, class Put>
void draw(const Random& op, int64_t begin, int64_t end, Put put) {
  const T shift = static_cast<T>(op.low);
  const T scale = static_cast<T>(op.normal ? op.high : op.high - op.low);
  const T last = std::nextafter(static_cast<T>(op.high), shift);  // rounding must not reach `high`
  constexpr int kLanes = kPerBlock<T>;
  for (int64_t i = begin; i < end; i += kLanes) {
    const auto index = op.offset + static_cast<uint64_t>(i / kLanes);
    const RandomBlock block = random_block(op.seed, index);
    T values[kLanes];
    for (int lane = 0; lane < kLanes; lane += 2) {
      const NormalPair<T> pair =
          op.normal ? normal_pair<T>(block, lane / 2)
                    : NormalPair<T>{{uniform<T>(block, lane), uniform<T>(block, lane + 1)}};
      for (int k = 0; k < 2; ++k) values[lane + k] = pair.value[k] * scale + shift;
    }
    for (int lane = 0; lane < kLanes && i + lane < end; ++lane) {
      put(i + lane, op.normal ? values[lane] : std::min(values[lane], last));
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

/// One row of a block of Dropout; `first` is the row-major index of its first element. Which ones
/// are dropped does not depend on the dtype: the stream is one of floats.
template <class T>
void drop_row(const Dropout& op, int64_t first, int64_t n, T* to, const T* from, int64_t step) {
  const auto keep_from = static_cast<float>(op.p);
  const T scale = static_cast<T>(1 / (1 - op.p));
  constexpr int kLanes = kPerBlock<float>;
  RandomBlock block{};
  for (int64_t c = 0; c < n; ++c) {
    const int64_t i = first + c;
    const int lane = static_cast<int>(i % kLanes);
    if (c == 0 || lane == 0) {
      block = random_block(op.seed, op.offset + static_cast<uint64_t>(i / kLanes));
    }
    to[c] = uniform<float>(block, lane) >= keep_from ? from[c * step] * scale : T(0);
  }
}

constexpr cpu::BlockSize kBlockSize{.elements = 4096, .transposed_rows = 16};

}  // namespace

void Random::cpu(const Launch& l) const {
  const View& out = l.out[0];
  visit_floating(name, dtype, [&]<class T>() {
    T* to = out.as<T>();
    const bool dense = out.meta->is_contiguous();
    parallel_for(out.meta->numel(), cpu::kParallelElements, [&](int64_t begin, int64_t end) {
      if (dense) return draw<T>(*this, begin, end, [=](int64_t i, T value) { to[i] = value; });
      draw<T>(*this, begin, end, [&](int64_t i, T value) { to[position(*out.meta, i)] = value; });
    });
  });
}

void Dropout::cpu(const Launch& l) const {
  const View operands[] = {l.out[0], l.in[0]};
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    constexpr int64_t kSize = sizeof(T);
    const cpu::Nest nest(operands, kBlockSize);
    nest.for_each_block([&](const cpu::Block& block) {
      const auto& [to, from] = std::pair(block.parts[0], block.parts[1]);
      for (int64_t r = 0; r < block.rows; ++r) {
        T* row = reinterpret_cast<T*>(to.data + r * to.row);
        drop_row(*this, row - l.out[0].as<T>(), block.columns, row,
                 reinterpret_cast<const T*>(from.data + r * from.row), from.column / kSize);
      }
    });
  });
}

}  // namespace reprise
