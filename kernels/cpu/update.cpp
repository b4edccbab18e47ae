// Optimizer steps: the numbers of the step are worked out once, the loops run over all operands
// together.

#include "../../core/ops/update.h"

#include <cmath>

#include "map.h"
#include "simd/update.h"

namespace reprise {
namespace {

size_t index_of(const View& param) { return param.meta->dtype == float64 ? 1 : 0; }

}  // namespace

void SgdStep::cpu(const Launch& l) const {
  const cpu::SgdLoop loop{*l.in[3].as<double>(), momentum, dampening,
                          weight_decay,          nesterov, first};
  const bool moves = momentum > 0;
  cpu::map(cpu::update_table().sgd[index_of(l.in[0])], &loop, l.in.first(moves ? 3 : 2), 0b111,
           0b101);
}

void AdamStep::cpu(const Launch& l) const {
  const double step = *l.in[4].as<double>(), lr = *l.in[5].as<double>();
  const cpu::AdamLoop loop{beta1,
                           beta2,
                           eps,
                           weight_decay,
                           lr / (1 - std::pow(beta1, step)),
                           1 / std::sqrt(1 - std::pow(beta2, step)),
                           amsgrad};
  const std::array<View, 5> operands{l.in[0], l.in[1], l.in[2], l.in[3],
                                     amsgrad ? l.in[6] : View{}};
  cpu::map(cpu::update_table().adam[index_of(l.in[0])], &loop,
           std::span(operands).first(amsgrad ? 5 : 4), 0b11111, 0b11101);
}

}  // namespace reprise
