// BatchNorm and its gradient for dense x, seen as [N, C, S], or as [N S, C, 1] when the channels
// lie last. Channels are cut into tiles: of one channel when S > 1, whose rows of S elements are
// one matrix, else of neighbours, whose columns are. A tile is read again from cache: mean, centred
// variance, result. All sums have one order and are kept in double.

#include "../../core/ops/norm.h"

#include <algorithm>
#include <cmath>

#include "../../core/parallel.h"
#include "../cuda/workspaces.h"
#include "simd/isa.h"
#include "simd/norm.h"
#include "simd/reduce.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kTaskSize = 1 << 14;  // elements worth a task
constexpr int64_t kTileChannels = 128;  // when channels are columns

template <class T>
struct Tiles {
  const NormKernels<T>& kernel =
      pick(isa(), sse2::norm_table, avx2::norm_table, avx512::norm_table);
  const ReduceKernels<T>& reduce =
      pick(isa(), sse2::reduce_table, avx2::reduce_table, avx512::reduce_table);
  int64_t n, channels, size = 1;

  explicit Tiles(const Meta& x) : n(x.shape[0]), channels(x.shape[1]) {
    int64_t& beside = x.is_contiguous() ? size : n;
    for (size_t d = 2; d < x.shape.size(); ++d) beside *= x.shape[d];
  }

  bool columns() const { return size == 1; }
  double count() const { return static_cast<double>(n * size); }
  Rows rows(int64_t tile) const { return {n, channels * size, columns() ? tile : size}; }

  /// Calls f(first channel, number of channels) for all tiles.
  template <class F>
  void for_each(F f) const {
    const int64_t tile = columns() ? kTileChannels : 1;
    const int64_t grain = kTaskSize / std::max<int64_t>(n * size * tile, 1);
    parallel_for((channels + tile - 1) / tile, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) f(i * tile, std::min(tile, channels - i * tile));
    });
  }

  void add(const T* x, int64_t tile, double* sums) const {
    if (columns()) return reduce.add_rows(sums, x, n, channels, tile);
    for (int64_t i = 0; i < n; ++i) *sums += reduce.sum(x + i * channels * size, size, 1);
  }
};

/// Element i of a vector that may have any stride.
template <class T>
T& at(const View& v, int64_t i) {
  return v.as<T>()[i * (v.meta->strides.empty() ? 0 : v.meta->strides[0])];
}

template <class T>
class Forward {
 public:
  Forward(const Launch& l, double momentum, double eps)
      : l_(l), tiles_(*l.in[0].meta), momentum_(momentum), eps_(eps) {
    if (tiles_.count() == 0) return;
    auto& batches = *l.in[5].as<int64_t>();
    ++batches;
    if (momentum < 0) momentum_ = 1 / static_cast<double>(batches);
  }

  void run() const {
    tiles_.for_each([this](int64_t first, int64_t tile) { run(first, tile); });
  }

 private:
  void run(int64_t first, int64_t tile) const {
    const T* x = l_.in[0].as<T>() + first * tiles_.size;
    double mean[kTileChannels] = {}, square[kTileChannels] = {};
    tiles_.add(x, tile, mean);
    for (int64_t j = 0; j < tile; ++j) mean[j] /= std::max(tiles_.count(), 1.0);
    const auto squares =
        tiles_.columns() ? tiles_.kernel.squares_channels : tiles_.kernel.squares_channel;
    squares(tiles_.rows(tile), x, mean, square);
    T scale[kTileChannels], shift[kTileChannels];
    for (int64_t j = 0; j < tile; ++j) {
      keep(first + j, mean[j], square[j]);
      scale[j] = at<T>(l_.out[2], first + j) * at<T>(l_.in[1], first + j);
      shift[j] = at<T>(l_.in[2], first + j);
    }
    const auto affine =
        tiles_.columns() ? tiles_.kernel.affine_channels : tiles_.kernel.affine_channel;
    affine(tiles_.rows(tile), x, l_.out[0].as<T>() + first * tiles_.size,
           {l_.out[1].as<T>() + first, scale, shift});
  }

  /// Writes the statistics of a channel and lets the running ones follow.
  void keep(int64_t channel, double mean, double squares) const {
    const double count = tiles_.count(), var = squares / std::max(count, 1.0);
    at<T>(l_.out[1], channel) = static_cast<T>(mean);
    at<T>(l_.out[2], channel) = static_cast<T>(1 / std::sqrt(var + eps_));
    if (count == 0) return;
    const auto follow = [this](T& running, double value) {
      const auto old = static_cast<double>(running);
      running = static_cast<T>((1 - momentum_) * old + momentum_ * value);
    };
    follow(at<T>(l_.in[3], channel), mean);
    follow(at<T>(l_.in[4], channel), squares / (count - 1));
  }

  const Launch& l_;
  Tiles<T> tiles_;
  double momentum_, eps_;
};

/// With h = (x - mean) invstd: gbias = sum gy, gweight = sum gy h, and
/// gx = weight invstd (gy - gbias / count - h gweight / count).
template <class T>
void grad_tile(const Launch& l, const Tiles<T>& tiles, int64_t first, int64_t tile) {
  const int64_t begin = first * tiles.size;
  const T *gy = l.in[0].as<T>() + begin, *x = l.in[1].as<T>() + begin;
  T means[kTileChannels], scale[kTileChannels], offset[kTileChannels], slope[kTileChannels];
  double mean[kTileChannels], sum[kTileChannels] = {}, product[kTileChannels] = {};
  for (int64_t j = 0; j < tile; ++j) mean[j] = static_cast<double>(at<T>(l.in[3], first + j));
  const auto products =
      tiles.columns() ? tiles.kernel.products_channels : tiles.kernel.products_channel;
  products(tiles.rows(tile), gy, x, mean, sum, product);
  const double count = std::max(tiles.count(), 1.0);
  for (int64_t j = 0; j < tile; ++j) {
    const auto invstd = static_cast<double>(at<T>(l.in[4], first + j));
    at<T>(l.out[1], first + j) = static_cast<T>(product[j] * invstd);
    at<T>(l.out[2], first + j) = static_cast<T>(sum[j]);
    means[j] = at<T>(l.in[3], first + j);
    scale[j] = at<T>(l.in[2], first + j) * at<T>(l.in[4], first + j);
    offset[j] = static_cast<T>(sum[j] / count);
    slope[j] = static_cast<T>(product[j] * invstd * invstd / count);
  }
  const auto map =
      tiles.columns() ? tiles.kernel.affine_grad_channels : tiles.kernel.affine_grad_channel;
  map(tiles.rows(tile), gy, x, l.out[0].as<T>() + begin, {means, scale, offset, slope});
}

}  // namespace
}  // namespace cpu

size_t BatchNorm::workspace(std::span<const Meta> in, Device device) const {
  return device.kind == Device::Kind::cuda ? cuda::batch_norm_workspace(in[0]) : 0;
}
size_t BatchNormGrad::workspace(std::span<const Meta> in, Device device) const {
  return device.kind == Device::Kind::cuda ? cuda::batch_norm_workspace(in[1]) : 0;
}

void BatchNorm::cpu(const Launch& l) const {
  visit_floating(name, l.in[0].meta->dtype,
                 [&]<class T>() { cpu::Forward<T>(l, momentum, eps).run(); });
}

void BatchNormGrad::cpu(const Launch& l) const {
  visit_floating(name, l.in[1].meta->dtype, [&]<class T>() {
    const cpu::Tiles<T> tiles(*l.in[1].meta);
    tiles.for_each([&](int64_t first, int64_t tile) { cpu::grad_tile(l, tiles, first, tile); });
  });
}

}  // namespace reprise
