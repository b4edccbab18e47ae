#include "memory_check.h"

#include <algorithm>
#include <cstring>

namespace reprise {
namespace {

constexpr std::byte kCanary{0xc5};
/// A signalling NaN of float64; its lower half is one of float32.
constexpr uint64_t kPoison = 0x7ff4'0000'7fa0'0001;

void fill_with_nan(std::byte* to, int64_t bytes) {
  if (bytes == 0) return;
  for (int64_t i = 0; i + 8 <= bytes; i += 8) std::memcpy(to + i, &kPoison, 8);
  std::memcpy(to + bytes / 8 * 8, &kPoison, static_cast<size_t>(bytes % 8));
}

}  // namespace

MemoryCheck::MemoryCheck(const Plan& plan, std::byte* arena)
    : plan_(plan), arena_(arena), ends_(freed_slots(plan)) {
  begins_.resize(ends_.size() + 1);
  for (size_t i = 0; i < plan.slots.size(); ++i) {
    begins_[static_cast<size_t>(plan.slots[i].first)].push_back(static_cast<int32_t>(i));
  }
  fill_with_nan(arena, plan.arena_bytes);
}

std::byte* MemoryCheck::behind(int32_t slot) const {
  return arena_ + plan_.slot(slot).offset + plan_.slot(slot).bytes;
}

void MemoryCheck::before(int32_t call) {
  for (int32_t slot : begins_[static_cast<size_t>(call)]) {
    std::memset(behind(slot), static_cast<int>(kCanary), kGap);
    if (std::ranges::find(watched_, slot) == watched_.end()) watched_.push_back(slot);
  }
}

void MemoryCheck::after(int32_t call, std::string_view op) {
  for (int32_t slot : watched_) {
    const std::byte* canary = behind(slot);
    const bool whole = std::all_of(canary, canary + kGap, [](std::byte b) { return b == kCanary; });
    ensure(whole, "program: call ", call, ", ", op, ", wrote behind the slot at ",
           plan_.slot(slot).offset, " of ", plan_.slot(slot).bytes, " bytes");
  }
  for (int32_t slot : ends_[static_cast<size_t>(call)]) {
    fill_with_nan(arena_ + plan_.slot(slot).offset, plan_.slot(slot).bytes);
    std::erase(watched_, slot);
  }
}

}  // namespace reprise
