#include "dataset.h"

namespace reprise {

FirstImages::FirstImages(DatasetRef all, int64_t count) : all_(std::move(all)), size_(count) {
  check(all_ != nullptr, ErrorKind::Value, "first images: expected a dataset, got none");
  check(count >= 0, ErrorKind::Value, "first images: expected a count of at least 0, got ", count);
  size_ = std::min(size_, all_->size());
}

}  // namespace reprise
