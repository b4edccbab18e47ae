#include "sequential.h"

namespace reprise::nn {

Sequential::Sequential(const std::vector<std::shared_ptr<Module>>& layers) {
  for (const auto& layer : layers) push_back(layer);
}

void Sequential::push_back(std::shared_ptr<Module> layer) {
  register_module(std::to_string(size()), std::move(layer));
}

Module& Sequential::operator[](int64_t i) const {
  const auto count = static_cast<int64_t>(size());
  check(i >= -count && i < count, ErrorKind::Index, "Sequential: expected an index below ", count,
        ", got ", i);
  return *children()[static_cast<size_t>(i < 0 ? i + count : i)].second;
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const auto& [name, layer] : children()) y = std::move(layer->call({&y, 1}).front());
  return y;
}

}  // namespace reprise::nn
