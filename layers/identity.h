#pragma once

#include "layer.h"

namespace reprise::nn {

/// x -> x
class REPRISE_API Identity : public Layer<Identity> {
 public:
  Tensor forward(const Tensor& x) const { return x; }
};

}  // namespace reprise::nn
