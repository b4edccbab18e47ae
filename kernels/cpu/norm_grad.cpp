// BatchNormGrad, alone and behind a ReLU, tile by tile (norm_tiles.h).

#include "../../core/ops/fused_norm.h"
#include "../cuda/workspaces.h"
#include "norm_tiles.h"

namespace reprise {
namespace cpu {
namespace {

/// A tile of batch_norm_grad(gy, x, weight, mean, invstd). With h = (x - mean) invstd:
/// gbias = sum gy, gweight = sum gy h, and
/// gx = weight invstd (gy - gbias / count - h gweight / count).
template <class T>
void grad_tile(const Launch& l, const Tiles<T>& tiles, const T* gy, int64_t first, int64_t tile) {
  const int64_t begin = first * tiles.size;
  const T* x = l.in[1].as<T>() + begin;
  T means[kTileChannels], scale[kTileChannels], offset[kTileChannels], slope[kTileChannels];
  double mean[kTileChannels], sum[kTileChannels] = {}, product[kTileChannels] = {};
  for (int64_t j = 0; j < tile; ++j) mean[j] = static_cast<double>(at<T>(l.in[3], first + j));
  const NormKernels<T>& kernel = tiles.kernel;
  const Rows rows = tiles.rows(tile);
  tiles.choose(kernel.products_channel, kernel.products_channels)(rows, gy, x, mean, sum, product);
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
  tiles.choose(kernel.affine_grad_channel, kernel.affine_grad_channels)(
      rows, gy, x, l.out[0].as<T>() + begin, {means, scale, offset, slope});
}

/// What a ReLU lets through of a tile of gradients: for the residual or, without one, where gx will
/// be.
template <class T>
const T* relu_grad_tile(const Launch& l, bool residual, const Tiles<T>& tiles, int64_t first,
                        int64_t tile) {
  const int64_t begin = first * tiles.size;
  ReluOf<T> of{l.in[0].as<T>() + begin};
  T means[kTileChannels], scale[kTileChannels], shift[kTileChannels];
  if (residual) {
    of.y = l.in[5].as<T>() + begin;
    if (l.in.size() > 6) of.more = l.in[6].as<T>() + begin;
  } else {
    for (int64_t j = 0; j < tile; ++j) {
      means[j] = at<T>(l.in[3], first + j);
      scale[j] = at<T>(l.in[4], first + j) * at<T>(l.in[2], first + j);
      shift[j] = at<T>(l.in[5], first + j);
    }
    of.x = l.in[1].as<T>() + begin;
    of.map = {means, scale, shift};
  }
  T* const g = l.out[residual ? 3 : 0].as<T>() + begin;
  tiles.choose(tiles.kernel.relu_grad_channel, tiles.kernel.relu_grad_channels)(tiles.rows(tile),
                                                                                of, g);
  return g;
}

/// gy_tile: the gradients of `tile` channels from `first` on.
template <class T, class F>
void batch_norm_grad(const Launch& l, F gy_tile) {
  const Tiles<T> tiles(*l.in[1].meta);
  tiles.for_each([&](int64_t first, int64_t tile) {
    grad_tile(l, tiles, gy_tile(tiles, first, tile), first, tile);
  });
}

}  // namespace
}  // namespace cpu

size_t BatchNormGrad::workspace(std::span<const Meta> in, Device device) const {
  return device.kind == Device::Kind::cuda ? cuda::batch_norm_workspace(in[1]) : 0;
}
size_t FusedBatchNormGrad::workspace(std::span<const Meta> in, Device device) const {
  return BatchNormGrad{}.workspace(in.first(2), device);
}

void BatchNormGrad::cpu(const Launch& l) const {
  visit_floating(name, l.in[1].meta->dtype, [&]<class T>() {
    cpu::batch_norm_grad<T>(l, [&](const auto& tiles, int64_t first, int64_t) {
      return l.in[0].as<T>() + first * tiles.size;
    });
  });
}

void FusedBatchNormGrad::cpu(const Launch& l) const {
  visit_floating(name, l.in[1].meta->dtype, [&]<class T>() {
    cpu::batch_norm_grad<T>(l, [&](const auto& tiles, int64_t first, int64_t tile) {
      return cpu::relu_grad_tile<T>(l, residual, tiles, first, tile);
    });
  });
}

}  // namespace reprise
