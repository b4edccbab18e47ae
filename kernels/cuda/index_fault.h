#pragma once
// How kernels report an index out of range, since they cannot throw: the first one of a device is
// written into memory of the host, and the next call that waits for the device throws it.

#include "../../core/shape.h"

namespace reprise::cuda {

/// What is expected of an index, to be said of one that is not so.
struct IndexRule {
  const char* op;  // of the host
  int dim;
  int64_t least, size;
  Shape shape;  // of the index
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

/// Throws what kernels that were waited for have reported, once. Index error.
void throw_index_fault(int device);

}  // namespace reprise::cuda
