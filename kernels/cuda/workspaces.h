#pragma once
// Bytes of scratch that kernels need on a device, for T::workspace. The file needs no CUDA.

#include "../../core/meta.h"

namespace reprise::cuda {

#if defined(REPRISE_HAS_CUDA)
/// For the states of the parts of a reduction over `dims`, `state` bytes each.
size_t reduction_workspace(const Meta& x, const Shape& dims, size_t state);
/// For lines along `dim` that are too long to be kept whole.
size_t softmax_workspace(const Meta& x, int dim);
size_t softmax_grad_workspace(const Meta& y, int dim);
/// For statistics of the channels of x [N, C, ...], and for their gradient.
size_t batch_norm_workspace(const Meta& x);
/// For the keys of terms that are sorted.
size_t gather_grad_workspace(const Meta& src, const Meta& index, const Shape& shape, int dim);
size_t index_select_grad_workspace(const Meta& src, const Meta& list, int64_t size, int dim);
#else
inline size_t reduction_workspace(const Meta&, const Shape&, size_t) { return 0; }
inline size_t softmax_workspace(const Meta&, int) { return 0; }
inline size_t softmax_grad_workspace(const Meta&, int) { return 0; }
inline size_t batch_norm_workspace(const Meta&) { return 0; }
inline size_t gather_grad_workspace(const Meta&, const Meta&, const Shape&, int) { return 0; }
inline size_t index_select_grad_workspace(const Meta&, const Meta&, int64_t, int) { return 0; }
#endif

}  // namespace reprise::cuda
