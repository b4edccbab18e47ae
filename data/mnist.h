#pragma once
// MNIST: handwritten digits in IDX files (LeCun, Cortes and Burges).

#include "byte_images.h"

namespace reprise {

/// Images [1, 28, 28] of the digits 0 to 9, from `{train,t10k}-images-idx3-ubyte` and
/// `{train,t10k}-labels-idx1-ubyte` in `folder`, plain or with the ending .gz. Io error when a file
/// cannot be read, Format error when it is truncated or something else; both name path and reason.
class REPRISE_API Mnist final : public ByteImages {
 public:
  explicit Mnist(const std::string& folder, bool train = true);
};

}  // namespace reprise
