#include "data_loader.h"

#include <algorithm>
#include <numeric>

#include "../core/ops.h"
#include "../core/parallel.h"
#include "../core/philox.h"

namespace reprise {

DataLoader::DataLoader(DatasetRef dataset, const DataLoaderOptions& options)
    : dataset_(std::move(dataset)), options_(options) {
  check(dataset_ != nullptr, ErrorKind::Value, "data loader: expected a dataset, got none");
  check(options_.batch_size >= 1, ErrorKind::Value,
        "data loader: expected a batch size of at least 1, got ", options_.batch_size);
  const auto channels = static_cast<size_t>(dataset_->image_shape()[0]);
  const bool none = options_.mean.empty() && options_.std.empty();
  check(none || (options_.mean.size() == channels && options_.std.size() == channels),
        ErrorKind::Value, "data loader: expected a mean and a std for each of ", channels,
        " channels, got ", options_.mean.size(), " and ", options_.std.size());
  for (const float std : options_.std) {
    check(std > 0, ErrorKind::Value, "data loader: expected every std above 0, got ", std);
  }
}

int64_t DataLoader::size() const {
  const int64_t rounding = options_.drop_last ? 0 : options_.batch_size - 1;
  return (dataset_->size() + rounding) / options_.batch_size;
}

/// Fisher and Yates's shuffle; each epoch has 2^40 random blocks of its own.
std::vector<int64_t> DataLoader::order_of(int64_t epoch) const {
  std::vector<int64_t> order(static_cast<size_t>(dataset_->size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (!options_.shuffle) return order;
  const uint64_t first = static_cast<uint64_t>(epoch) << 40;
  for (size_t i = order.size(); i-- > 1;) {
    const auto place = uniform_at<double>(options_.seed, first, i) * static_cast<double>(i + 1);
    std::swap(order[i], order[std::min(static_cast<size_t>(place), i)]);
  }
  return order;
}

Batch DataLoader::load(const std::vector<int64_t>& order, int64_t batch) const {
  constexpr int64_t kGrain = 8;  // images: some 200 us of drawing
  const int64_t first = batch * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, dataset_->size() - first);
  const Shape shape = dataset_->image_shape();
  const int64_t numel = shape.numel();
  Batch out{empty({count, shape[0], shape[1], shape[2]}), empty({count}, {.dtype = int64})};
  float* images = out.images.data<float>();
  int64_t* labels = out.labels.data<int64_t>();
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      labels[i] = dataset_->get(order[static_cast<size_t>(first + i)], images + i * numel);
      normalise(images + i * numel);
    }
  });
  if (options_.device == Device::cpu()) return out;
  const auto there = [&](const Tensor& x) { return x.pin_memory().to(options_.device, true); };
  return {there(out.images), there(out.labels)};
}

void DataLoader::normalise(float* image) const {
  const Shape shape = dataset_->image_shape();
  for (size_t c = 0; c < options_.mean.size(); ++c) {
    const float mean = options_.mean[c], scale = 1 / options_.std[c];
    for (int64_t i = 0; i < shape[1] * shape[2]; ++i, ++image) *image = (*image - mean) * scale;
  }
}

}  // namespace reprise
