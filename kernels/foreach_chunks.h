#pragma once
// How TotalNorm cuts tensors, on every device, so that no sum follows from a number of threads.

#include "../core/meta.h"

namespace reprise {

inline constexpr int64_t kForeachChunk = 4096;  // elements

constexpr int64_t chunks_of(int64_t numel) { return (numel + kForeachChunk - 1) / kForeachChunk; }
inline int64_t foreach_chunks(const Meta& m) { return chunks_of(m.numel()); }

}  // namespace reprise
