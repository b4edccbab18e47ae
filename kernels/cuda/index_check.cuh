#pragma once
// What kernels take, by value, to report an index out of range (index_fault.h).

#include <cuda_runtime.h>

#include <string_view>

#include "index_fault.h"

namespace reprise::cuda {

class IndexCheck {
 public:
  /// Of indices in [least, size) on the current device; `op` is a literal.
  IndexCheck(std::string_view op, const Shape& index, int dim, int64_t size, int64_t least = 0)
      : fault_(index_fault()), rule_{op.data(), dim, least, size, index, current_layer()} {}
  /// Of one class each (detail::fail_class).
  IndexCheck(const Shape& index, int64_t classes)
      : fault_(index_fault()), rule_{nullptr, 0, 0, classes, index, current_layer()} {}

  /// `position` is counted in row-major order of the index.
  __device__ void report(int64_t value, int64_t position) const {
    if (fault_->state != FaultState::none) return;  // a storm of them must not be one of atomics
    auto* const state = reinterpret_cast<unsigned*>(&fault_->state);
    // For the whole system, since the host reads and resets this word.
    if (atomicCAS_system(state, unsigned(FaultState::none), unsigned(FaultState::written)) != 0)
      return;
    fault_->rule = rule_;
    fault_->value = value;
    fault_->position = position;
    __threadfence_system();
    atomicExch_system(state, unsigned(FaultState::ready));
  }

 private:
  IndexFault* fault_;
  IndexRule rule_;
};

}  // namespace reprise::cuda
