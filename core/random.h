#pragma once
// Where the blocks of philox.h come from: a generator hands out ranges of block numbers, so the
// same seed gives the same numbers on every device, eagerly and in replay.

#include <atomic>
#include <cstdint>

#include "export.h"
#include "philox.h"

namespace reprise {

/// Blocks for n elements of any type: one gives two doubles, the widest elements.
REPRISE_HD constexpr uint64_t random_blocks_for(uint64_t n) { return n / 2 + n % 2; }

/// A place in a stream of random blocks. All of it may be called by several threads at once.
class REPRISE_API Generator {
 public:
  explicit constexpr Generator(uint64_t seed = 0) noexcept : seed_(seed) {}
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  uint64_t seed() const noexcept { return seed_; }
  /// The block that the next `reserve` returns; with the seed, all there is to save.
  uint64_t offset() const noexcept { return offset_; }
  /// Starts the stream of `seed`, at its first block unless told otherwise.
  void manual_seed(uint64_t seed, uint64_t offset = 0) noexcept;
  /// Hands out blocks for n elements of any type and returns the index of the first of them.
  uint64_t reserve(uint64_t n) noexcept;

 private:
  std::atomic<uint64_t> seed_;
  std::atomic<uint64_t> offset_{0};
};

/// The generator used where none is named. Its seed is 0 until manual_seed is called.
REPRISE_API Generator& default_generator() noexcept;
REPRISE_API void manual_seed(uint64_t seed) noexcept;

}  // namespace reprise
