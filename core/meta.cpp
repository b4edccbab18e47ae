#include "meta.h"

namespace reprise {

bool Meta::is_dense_channels_last() const {
  if (dim() != 4) return false;
  const Meta dense(shape, dense_strides(shape, channels_last), dtype);
  return numel() == 0 || same_layout(*this, dense);
}

bool Meta::has_channels_last_strides() const {
  return strides == dense_strides(shape, channels_last) && strides != contiguous_strides(shape);
}

bool same_layout(const Meta& a, const Meta& b) {
  for (size_t d = 0; d < a.shape.size(); ++d) {
    if (a.shape[d] > 1 && a.strides[d] != b.strides[d]) return false;
  }
  return true;
}

// Dimensions that lie densely behind one another form a run, and every run is cut anew on its own.
std::optional<Strides> view_strides(const Meta& meta, const Shape& shape) {
  Strides strides = contiguous_strides(shape);
  if (meta.numel() == 0 || meta.dim() == 0) return strides;
  size_t out = shape.size();
  int64_t run = 1, step = meta.strides.back();  // elements of the run; distance of the innermost
  for (size_t in = meta.shape.size(); in-- > 0;) {
    run *= meta.shape[in];
    const bool continues =
        in > 0 && (meta.shape[in - 1] == 1 || meta.strides[in - 1] == run * step);
    if (continues) continue;
    int64_t filled = 1;
    while (out > 0 && (filled < run || shape[out - 1] == 1)) {
      strides[--out] = filled * step;
      filled *= shape[out];
    }
    if (filled != run) return {};
    if (in > 0) step = meta.strides[in - 1];
    run = 1;
  }
  return strides;
}

}  // namespace reprise
