#include "layout.h"

#include <utility>

namespace reprise::cuda {

Layout::Layout(std::span<const View> views) : operands(static_cast<int>(views.size())) {
  ensure(operands <= kMostOperands, "layout: ", operands, " operands");
  add_dims(views);
  order();
  merge();
}

void Layout::add_dims(std::span<const View> views) {
  const Shape& shape = views[0].meta->shape;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) continue;
    sizes[dims] = shape[d];
    for (size_t k = 0; k < views.size(); ++k) steps[dims][k] = views[k].meta->strides[d];
    ++dims;
  }
  if (dims > 0) return;
  dims = 1;
  sizes[0] = 1;
  std::fill_n(steps[0], operands, 1);
}

void Layout::order() {
  for (int i = 1; i < dims; ++i) {
    for (int d = i; d > 0 && steps[d][0] < steps[d - 1][0]; --d) {
      std::swap(sizes[d], sizes[d - 1]);
      std::swap(steps[d], steps[d - 1]);
    }
  }
}

void Layout::merge() {
  int last = 0;
  for (int d = 1; d < dims; ++d) {
    bool one = true;
    for (int k = 0; k < operands; ++k) one &= steps[d][k] == steps[last][k] * sizes[last];
    if (one) {
      sizes[last] *= sizes[d];
      continue;
    }
    ++last;
    sizes[last] = sizes[d];
    std::copy_n(steps[d], operands, steps[last]);
  }
  dims = last + 1;
}

int64_t Layout::numel() const {
  int64_t n = 1;
  for (int d = 0; d < dims; ++d) n *= sizes[d];
  return n;
}

bool Layout::is_dense() const {
  return dims == 1 && std::all_of(steps[0], steps[0] + operands, [](int64_t s) { return s == 1; });
}

std::array<Layout, 2> Layout::halves() const {
  std::array<Layout, 2> parts{*this, *this};
  int cut_dim = dims - 1;
  while (sizes[cut_dim] == 1) --cut_dim;
  constexpr int64_t kWidest = 16;  // a dense row is cut where packs begin
  int64_t cut = sizes[cut_dim] / 2;
  if (cut_dim == 0 && cut > kWidest) cut -= cut % kWidest;
  parts[0].sizes[cut_dim] = cut;
  parts[1].sizes[cut_dim] -= cut;
  for (int k = 0; k < operands; ++k) parts[1].first[k] += cut * steps[cut_dim][k];
  return parts;
}

bool Layout::takes_packs(std::span<const View> views, int width) const {
  if (steps[0][0] != 1 || sizes[0] < width || (dims > 1 && sizes[0] % width != 0)) return false;
  for (int k = 0; k < operands; ++k) {
    if (steps[0][k] == 0) continue;
    const View& view = views[static_cast<size_t>(k)];
    const auto bytes = static_cast<uintptr_t>(width) * size_of(view.meta->dtype);
    bool aligned = steps[0][k] == 1 && reinterpret_cast<uintptr_t>(view.data) % bytes == 0;
    aligned &= first[k] % width == 0;
    for (int d = 1; d < dims; ++d) aligned &= steps[d][k] % width == 0;
    if (!aligned) return false;
  }
  return true;
}

int Layout::transposed_dim() const {
  for (int k = 1; k < operands; ++k) {
    if (steps[0][k] == 0 || steps[0][k] == 1) continue;
    for (int d = 1; d < dims; ++d) {
      if (steps[d][k] == 1) return d;
    }
  }
  return 0;
}

Layout Layout::without(int one, int other) const {
  Layout out = *this;
  out.dims = 0;
  for (int d = 0; d < dims; ++d) {
    if (d != one && d != other) out.add_dim(sizes[d], steps[d], 1);
  }
  if (out.dims == 0) out.add_dim(1, steps[0], 1);
  return out;
}

Layout Layout::in_squares() const {
  constexpr int64_t kSide = 8;  // floats of a sector
  const int other = transposed_dim();
  if (other == 0 || sizes[0] % kSide != 0 || sizes[other] % kSide != 0) return *this;
  Layout out = *this;
  out.dims = 0;
  out.add_dim(kSide, steps[0], 1);
  out.add_dim(kSide, steps[other], 1);
  for (int d = 0; d < dims; ++d) {
    const bool cut = d == 0 || d == other;
    out.add_dim(cut ? sizes[d] / kSide : sizes[d], steps[d], cut ? kSide : 1);
  }
  return out;
}

void Layout::add_dim(int64_t size, const int64_t* of, int64_t times) {
  for (int k = 0; k < operands; ++k) steps[dims][k] = of[k] * times;
  sizes[dims++] = size;
}

}  // namespace reprise::cuda
