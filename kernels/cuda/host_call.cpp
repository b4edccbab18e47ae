// HostCall on a device: the function is called with tensors that lie there, and what it queues
// comes behind what made them.

#include "../../core/ops/host_call.h"

#include "../../core/cuda.h"

namespace reprise {

void HostCall::cuda(const Launch& l) const {
  const int device = (l.in.empty() ? l.out : l.in).front().meta->device.index;
  const cuda::StreamGuard guard(cuda::Stream::adopt(l.stream.handle, device));
  cpu(l);
}

}  // namespace reprise
