// The ops of views that copy: parts of the output are seen as views of it and assigned.

#include "../../core/ops/view.h"

#include "../../core/ops/cat.h"
#include "assign.h"

namespace reprise {
namespace {

/// `size` elements of dimension `dim` of `whole` from `start`, every `step`-th.
void assign_slice(Stream stream, const View& whole, const StridedSlice& slice, const View& from) {
  const auto d = static_cast<size_t>(slice.dim);
  Meta part = *whole.meta;
  part.shape[d] = slice.size;
  part.strides[d] *= slice.step;
  const int64_t first = slice.start * whole.meta->strides[d];
  std::byte* data = whole.as<std::byte>() + first * static_cast<int64_t>(size_of(part.dtype));
  cuda::assign(stream, {data, &part}, from);
}

}  // namespace

void SliceGrad::cuda(const Launch& l) const {
  const int64_t zero = 0;  // all bits 0: zero of every dtype
  cuda::assign_value(l.stream, l.out[0], &zero);
  assign_slice(l.stream, l.out[0], slice, l.in[0]);
}

void Cat::cuda(const Launch& l) const {
  int64_t start = 0;
  for (const View& in : l.in) {
    const int64_t size = in.meta->shape[static_cast<size_t>(dim)];
    assign_slice(l.stream, l.out[0], {dim, start, size, 1}, in);
    start += size;
  }
}

}  // namespace reprise
