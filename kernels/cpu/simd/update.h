#pragma once
// The loops of optimizer steps and of what comes before them, once per instruction set. The
// parameter and its state are read and written.

#include "isa.h"
#include "loop.h"

namespace reprise::cpu {

/// SgdStep with its learning rate. Operands: parameter, gradient and, when momentum > 0, velocity.
struct SgdLoop {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, first;
};
/// AdamStep with what follows from its step. Operands: parameter, gradient, average, average of
/// squares and, for amsgrad, the largest one.
struct AdamLoop {
  double beta1, beta2, eps, weight_decay;
  double step_size, inverse_correction2;  // lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)
  bool amsgrad;
};

/// Unscale. Operand: a gradient. `found_inf` may be another thread's too.
struct UnscaleLoop {
  double inverse;
  float* found_inf;
};

/// For float and double.
struct UpdateTable {
  Loop sgd[2], adam[2], unscale[2];
};

namespace sse2 {
extern const UpdateTable update_table;
}
namespace avx2 {
extern const UpdateTable update_table;
}
namespace avx512 {
extern const UpdateTable update_table;
}

inline const UpdateTable& update_table(Isa level = isa()) {
  return pick(level, sse2::update_table, avx2::update_table, avx512::update_table);
}

}  // namespace reprise::cpu
