#pragma once
// One binary carries its hot kernels three times, compiled for three instruction sets; this picks
// the set at run time. A file `<name>.simd.cpp` is compiled once per set with
// -DREPRISE_ISA=sse2|avx2|avx512 and puts everything it defines into `namespace
// reprise::cpu::REPRISE_ISA`.

namespace reprise::cpu {

enum class Isa { sse2, avx2, avx512 };

/// The widest set that this machine has, capped by the environment variable
/// REPRISE_MAX_CPU_ISA=sse2|avx2|avx512. Decided at the first call.
Isa isa();

/// Uses at most this set from now on; tests compare the sets with it.
void set_isa(Isa most);

/// What the machine has, whatever the environment says.
Isa machine_isa();

/// One of three tables of kernels, by instruction set.
template <class Table>
const Table& pick(Isa level, const Table& sse2, const Table& avx2, const Table& avx512) {
  return level == Isa::avx512 ? avx512 : level == Isa::avx2 ? avx2 : sse2;
}

}  // namespace reprise::cpu
