#pragma once
// Batch normalisation (Ioffe and Szegedy, 2015), each channel of x [N, C, ...] by the mean and
// variance over all else: those of the batch in training, the running ones else.

#include <optional>

#include "layer.h"

namespace reprise::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< none: the running statistics are a cumulative average
  bool affine = true;
  bool track_running_stats = true;  ///< if not, those of the batch are used in eval mode as well
  DType dtype = float32;
};

/// Parameters weight and bias [C], buffers running_mean, running_var [C] and num_batches_tracked
/// []. Value error for num_features below 1.
template <class Self>
class REPRISE_API BatchNorm : public Layer<Self> {
 public:
  explicit BatchNorm(int64_t num_features, const BatchNormOptions& options = {});

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  const Tensor& running_mean() const { return running_mean_; }
  const Tensor& running_var() const { return running_var_; }
  const Tensor& num_batches_tracked() const { return num_batches_tracked_; }
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  int64_t num_features_;
  BatchNormOptions options_;
  Parameter weight_, bias_;
  Buffer running_mean_, running_var_, num_batches_tracked_;
};

/// x [N, C] or [N, C, L].
class REPRISE_API BatchNorm1d : public BatchNorm<BatchNorm1d> {
 public:
  static constexpr int min_dim = 2, max_dim = 3;
  using BatchNorm::BatchNorm;
};

/// x [N, C, H, W].
class REPRISE_API BatchNorm2d : public BatchNorm<BatchNorm2d> {
 public:
  static constexpr int min_dim = 4, max_dim = 4;
  using BatchNorm::BatchNorm;
};

extern template class BatchNorm<BatchNorm1d>;
extern template class BatchNorm<BatchNorm2d>;

}  // namespace reprise::nn
