#pragma once
// Streams on the host: work runs when it is queued, or is kept while its stream is captured.

#include <cuda_runtime.h>

#include <functional>

namespace reprise::emulator {

using Work = std::function<cudaError_t()>;

/// Runs the work, or adds it to the graph that is being captured on the stream.
cudaError_t enqueue(cudaStream_t stream, Work work);
/// Returns the status; a failure is also what cudaGetLastError returns next.
cudaError_t keep_error(cudaError_t status);

}  // namespace reprise::emulator
