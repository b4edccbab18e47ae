#include "dataset.h"

namespace reprise {

FirstImages::FirstImages(DatasetRef all, int64_t count)
    : all_(std::move(all)), size_(std::min(count, all_->size())) {
  check(count >= 0, ErrorKind::Value, "first images: expected a count of at least 0, got ", count);
}

}  // namespace reprise
