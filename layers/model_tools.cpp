#include "model_tools.h"

#include <algorithm>

#include "../autograd/tape.h"
#include "../core/ops.h"

namespace reprise::nn {
namespace {

bool equal_values(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && sum(a != b.to(a.device())).item<int64_t>() == 0;
}

}  // namespace

int64_t num_parameters(const Module& module, const NumParametersOptions& options) {
  int64_t count = 0;
  for (const Tensor& parameter : module.parameters()) {
    if (parameter.requires_grad() || !options.trainable_only) count += parameter.numel();
  }
  return count;
}

std::vector<Shape> parameter_shapes(const Module& module) {
  std::vector<Shape> shapes;
  for (const Tensor& parameter : module.parameters()) shapes.push_back(parameter.shape());
  return shapes;
}

bool model_similar(const Module& a, const Module& b) {
  return parameter_shapes(a) == parameter_shapes(b);
}

bool models_have_corresponding_parameters(const Module& a, const Module& b) {
  const NoGradGuard no_grad;
  return model_similar(a, b) && std::ranges::equal(a.parameters(), b.parameters(), equal_values);
}

}  // namespace reprise::nn
