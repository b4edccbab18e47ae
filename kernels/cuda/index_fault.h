#pragma once
// How kernels report an index out of range, since they cannot throw: the first one of a device is
// written into memory of the host, and the next call that waits for the device throws it.

#include "../../core/shape.h"

namespace reprise::cuda {

/// What is expected of an index, to be said of one that is not so.
struct IndexRule {
  const char* op;  // of the host; null: a class, as cross_entropy says it
  int dim;
  int64_t least, size;
  Shape shape;                  // of the index
  const char* layer = nullptr;  // of the host, of the op; null outside of any
};

enum class FaultState : unsigned { none, written, ready };

/// In pinned memory, whose address stays, so that captured kernels know it.
struct IndexFault {
  FaultState state;
  IndexRule rule;
  int64_t value, position;
};

/// That of the current device.
IndexFault* index_fault();

/// The path of the layer that this thread is in, for good: what is captured here may report at any
/// time. Null outside of any.
const char* current_layer();

/// Throws what kernels that were waited for have reported, once. Late Index error.
void throw_index_fault(int device);

}  // namespace reprise::cuda
