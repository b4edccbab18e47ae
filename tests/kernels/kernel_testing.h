#pragma once
// What the tests of raw-pointer kernels share: random values, guarded buffers, the levels to run.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "../../core/parallel.h"
#include "../../kernels/cpu/simd/isa.h"

namespace reprise::cpu {

inline std::vector<Isa> testable_levels() {
  std::vector<Isa> levels{Isa::sse2};
  if (machine_isa() >= Isa::avx2) levels.push_back(Isa::avx2);
  if (machine_isa() >= Isa::avx512) levels.push_back(Isa::avx512);
  return levels;
}

template <class T>
std::vector<T> random_values(int64_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<T> uniform(T(-1), T(1));
  std::vector<T> values(static_cast<size_t>(n));
  for (T& v : values) v = uniform(engine);
  return values;
}

/// 64-byte aligned bytes of exactly the size asked for, so that AddressSanitizer sees one byte too
/// many.
class Bytes {
 public:
  explicit Bytes(size_t size)
      : data_(size ? std::aligned_alloc(64, (size + 63) / 64 * 64) : nullptr, std::free) {}
  void* data() const { return data_.get(); }

 private:
  std::unique_ptr<void, decltype(&std::free)> data_;
};

/// Restores the number of threads at the end of a test.
class WithThreads {
 public:
  explicit WithThreads(int n) : before_(num_threads()) { set_num_threads(n); }
  ~WithThreads() { set_num_threads(before_); }
  WithThreads(const WithThreads&) = delete;
  WithThreads& operator=(const WithThreads&) = delete;

 private:
  int before_;
};

}  // namespace reprise::cpu
