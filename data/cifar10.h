#pragma once
// CIFAR-10: small colour photographs in its binary form (Krizhevsky, 2009).

#include "byte_images.h"

namespace reprise {

/// Images [3, 32, 32] of ten classes from `folder`: data_batch_1.bin and those of data_batch_2.bin
/// to data_batch_5.bin that are there, or test_batch.bin. Io error when a file cannot be read,
/// Format error when it is truncated or something else; both name path and reason.
class REPRISE_API Cifar10 final : public ByteImages {
 public:
  explicit Cifar10(const std::string& folder, bool train = true);

 private:
  void append(const std::string& path);
};

}  // namespace reprise
