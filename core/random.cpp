#include "random.h"

namespace reprise {
namespace {

constinit Generator shared;

}  // namespace

void Generator::manual_seed(uint64_t seed, uint64_t offset) noexcept {
  seed_ = seed;
  offset_ = offset;
}

uint64_t Generator::reserve(uint64_t n) noexcept { return offset_.fetch_add(random_blocks_for(n)); }

Generator& default_generator() noexcept { return shared; }

void manual_seed(uint64_t seed) noexcept { shared.manual_seed(seed); }

}  // namespace reprise
