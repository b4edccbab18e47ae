#pragma once
// Tells AddressSanitizer which parts of kept memory nobody may touch; without it all this is
// nothing.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define REPRISE_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REPRISE_ASAN
#endif
#endif

#ifdef REPRISE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace reprise {

inline void poison([[maybe_unused]] const void* begin, [[maybe_unused]] size_t bytes) noexcept {
#ifdef REPRISE_ASAN
  __asan_poison_memory_region(begin, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* begin, [[maybe_unused]] size_t bytes) noexcept {
#ifdef REPRISE_ASAN
  __asan_unpoison_memory_region(begin, bytes);
#endif
}

/// The leak checker does not follow pointers through poisoned memory, so it must not count `block`.
inline void never_a_leak([[maybe_unused]] const void* block) noexcept {
#ifdef REPRISE_ASAN
  __lsan_ignore_object(block);
#endif
}

}  // namespace reprise
