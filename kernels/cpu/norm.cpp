// BatchNorm, alone and with what follows it. A tile (norm_tiles.h) is read again from cache: mean,
// centred variance, result.

#include <cmath>

#include "../../core/ops/fused_norm.h"
#include "../cuda/workspaces.h"
#include "norm_tiles.h"

namespace reprise {
namespace cpu {
namespace {

template <class T>
class Forward {
 public:
  Forward(const Launch& l, const FusedBatchNorm& op)
      : l_(l), tiles_(*l.in[0].meta), op_(op), momentum_(op.momentum) {
    if (tiles_.count() == 0) return;
    auto& batches = *l.in[5].as<int64_t>();
    ++batches;
    if (momentum_ < 0) momentum_ = 1 / static_cast<double>(batches);
  }

  void run() const {
    tiles_.for_each([this](int64_t first, int64_t tile) { run(first, tile); });
  }

 private:
  void run(int64_t first, int64_t tile) const {
    const int64_t begin = first * tiles_.size;
    const T* x = l_.in[0].as<T>() + begin;
    double mean[kTileChannels] = {}, square[kTileChannels] = {};
    tiles_.add(x, tile, mean);
    for (int64_t j = 0; j < tile; ++j) mean[j] /= std::max(tiles_.count(), 1.0);
    const NormKernels<T>& kernel = tiles_.kernel;
    const Rows rows = tiles_.rows(tile);
    tiles_.choose(kernel.squares_channel, kernel.squares_channels)(rows, x, mean, square);
    T scale[kTileChannels], shift[kTileChannels];
    for (int64_t j = 0; j < tile; ++j) {
      keep(first + j, mean[j], square[j]);
      scale[j] = at<T>(l_.out[2], first + j) * at<T>(l_.in[1], first + j);
      shift[j] = at<T>(l_.in[2], first + j);
    }
    const T* residual = op_.residual ? l_.in[6].as<T>() + begin : nullptr;
    tiles_.choose(kernel.affine_channel, kernel.affine_channels)(
        rows, x, l_.out[0].as<T>() + begin,
        {l_.out[1].as<T>() + first, scale, shift, residual, op_.relu});
  }

  /// Writes the statistics of a channel and lets the running ones follow.
  void keep(int64_t channel, double mean, double squares) const {
    const double count = tiles_.count(), var = squares / std::max(count, 1.0);
    at<T>(l_.out[1], channel) = static_cast<T>(mean);
    at<T>(l_.out[2], channel) = static_cast<T>(1 / std::sqrt(var + op_.eps));
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
  const FusedBatchNorm& op_;
  double momentum_;
};

}  // namespace
}  // namespace cpu

size_t BatchNorm::workspace(std::span<const Meta> in, Device device) const {
  return device.kind == Device::Kind::cuda ? cuda::batch_norm_workspace(in[0]) : 0;
}
size_t FusedBatchNorm::workspace(std::span<const Meta> in, Device device) const {
  return BatchNorm{}.workspace(in.first(1), device);
}

void BatchNorm::cpu(const Launch& l) const { FusedBatchNorm{momentum, eps}.cpu(l); }

void FusedBatchNorm::cpu(const Launch& l) const {
  visit_floating(name, l.in[0].meta->dtype, [&]<class T>() { cpu::Forward<T>(l, *this).run(); });
}

}  // namespace reprise
