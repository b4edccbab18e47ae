#pragma once
// DataLoader: goes through a data set in batches, in a new random order each time.

#include <iterator>

#include "../core/tensor.h"
#include "dataset.h"

namespace reprise {

struct Batch {
  Tensor images;  ///< [N, C, H, W] float32
  Tensor labels;  ///< [N] int64
};

struct DataLoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false;
  uint64_t seed = 0;
  bool drop_last = false;  ///< leave a last batch out that is smaller than the others
  /// Of each channel: values become (x - mean) / std. Empty: as they are.
  std::vector<float> mean{}, std{};
  /// Where batches are wanted. A GPU copies them from pinned memory behind what is queued on its
  /// current stream, while the next one is loaded.
  Device device = Device::cpu();
};

/// `for (const auto& [images, labels] : loader)` is one epoch, and the next such loop the next one.
/// What an epoch gives depends on seed and epoch alone, not on the number of threads.
class REPRISE_API DataLoader {
 public:
  /// Value error for a batch size below 1 and a mean or std that does not fit the channels.
  explicit DataLoader(DatasetRef dataset, const DataLoaderOptions& options = {});

  const Dataset& dataset() const { return *dataset_; }
  /// Batches of an epoch.
  int64_t size() const;

  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    Batch operator*() const { return loader_->load(order_, batch_); }
    Iterator& operator++() {
      ++batch_;
      return *this;
    }
    void operator++(int) { ++batch_; }
    bool operator==(std::default_sentinel_t) const { return batch_ == loader_->size(); }

   private:
    friend class DataLoader;
    Iterator(const DataLoader& loader, std::vector<int64_t> order)
        : loader_(&loader), order_(std::move(order)) {}

    const DataLoader* loader_;
    std::vector<int64_t> order_;
    int64_t batch_ = 0;
  };

  /// Starts an epoch, counted from 0.
  Iterator begin() { return Iterator(*this, order_of(next_epoch_++)); }
  std::default_sentinel_t end() const { return {}; }
  /// The epoch that the next loop is.
  void set_epoch(int64_t epoch) { next_epoch_ = epoch; }

 private:
  std::vector<int64_t> order_of(int64_t epoch) const;
  Batch load(const std::vector<int64_t>& order, int64_t batch) const;
  void normalise(float* image) const;

  DatasetRef dataset_;
  DataLoaderOptions options_;
  int64_t next_epoch_ = 0;
};

}  // namespace reprise
