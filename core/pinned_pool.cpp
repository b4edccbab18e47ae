#include "pinned_pool.h"

#include <algorithm>
#include <bit>

namespace reprise::detail {

void* PinnedPool::allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  check(bytes <= size_t{1} << 47, ErrorKind::OutOfMemory, "out of memory: asked for ", bytes,
        " bytes of pinned memory");
  const size_t size = std::bit_ceil(std::max<size_t>(bytes, 4096));
  if (std::byte* block = reuse(size)) return block;
  void* block = runtime_.allocate_pinned(size);
  if (block == nullptr) {
    trim();
    block = runtime_.allocate_pinned(size);
  }
  check(block != nullptr, ErrorKind::OutOfMemory, "out of memory: asked for ", bytes,
        " bytes of pinned memory");
  std::lock_guard lock(mutex_);
  blocks_.emplace(static_cast<std::byte*>(block), Block{size});
  return block;
}

void PinnedPool::deallocate(void* block) noexcept {
  if (block == nullptr) return;
  std::lock_guard lock(mutex_);
  blocks_.at(static_cast<std::byte*>(block)).free = true;
}

bool PinnedPool::record_use(const void* address, int device, void* stream) {
  std::lock_guard lock(mutex_);
  auto at = blocks_.upper_bound(static_cast<const std::byte*>(address));
  if (at == blocks_.begin()) return false;
  auto& [begin, block] = *--at;
  if (static_cast<const std::byte*>(address) >= begin + block.bytes) return false;
  const auto same = [&](const Use& u) { return u.device == device && u.stream == stream; };
  auto use = std::ranges::find_if(block.uses, same);
  if (use == block.uses.end()) {
    block.uses.push_back({device, stream, runtime_.make_event(device, false)});
    use = std::prev(block.uses.end());
  }
  runtime_.record_event(device, use->event, stream);
  return true;
}

void PinnedPool::trim() {
  std::lock_guard lock(mutex_);
  for (auto at = blocks_.begin(); at != blocks_.end();) {
    auto& [begin, block] = *at;
    const bool gone = block.free && is_idle(block);
    if (gone) runtime_.deallocate_pinned(const_cast<std::byte*>(begin));
    at = gone ? blocks_.erase(at) : std::next(at);
  }
}

std::byte* PinnedPool::reuse(size_t bytes) {
  std::lock_guard lock(mutex_);
  for (auto& [begin, block] : blocks_) {
    if (!block.free || block.bytes != bytes || !is_idle(block)) continue;
    block.free = false;
    return const_cast<std::byte*>(begin);
  }
  return nullptr;
}

/// Forgets the uses that are over.
bool PinnedPool::is_idle(Block& block) {
  std::erase_if(block.uses, [&](const Use& use) {
    const bool done = runtime_.is_event_done(use.device, use.event);
    if (done) runtime_.destroy_event(use.device, use.event);
    return done;
  });
  return block.uses.empty();
}

}  // namespace reprise::detail
