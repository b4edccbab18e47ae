#include "isa.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>

namespace reprise::cpu {

Isa machine_isa() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::sse2;
}

static Isa capped_isa() {
  const char* text = std::getenv("REPRISE_MAX_CPU_ISA");
  const std::string_view cap = text ? text : "";
  const Isa most = cap == "sse2" ? Isa::sse2 : cap == "avx2" ? Isa::avx2 : Isa::avx512;
  return std::min(most, machine_isa());
}

static std::atomic<Isa>& level() {
  static std::atomic<Isa> level = capped_isa();
  return level;
}

Isa isa() { return level().load(std::memory_order_relaxed); }

void set_isa(Isa most) { level() = std::min(most, machine_isa()); }

}  // namespace reprise::cpu
