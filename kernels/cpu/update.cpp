// Optimizer steps, and what a gradient scaler does before them. The steps are counted and their
// numbers worked out first, parameter by parameter. Then the dense parameters are taken for one
// long row of elements, which is cut by size alone: many small ones cost one fork-join together.
// What does not lie dense is mapped by itself.

#include "../../core/ops/update.h"

#include <cmath>

#include "../../core/ops/scaling.h"
#include "../cuda/update.h"
#include "map.h"
#include "simd/update.h"

namespace reprise {
namespace cpu {
namespace {

/// A dense parameter: its part of the row, and what its loop needs.
template <class Numbers>
struct Dense {
  int64_t begin, end, element_bytes;
  Loop loop;
  Numbers numbers;
  size_t count;  // of operands
  std::byte* operands[kMaxOperands];

  void run(int64_t from, int64_t to) const {
    void* at[kMaxOperands];
    for (size_t k = 0; k < count; ++k) at[k] = operands[k] + (from - begin) * element_bytes;
    loop(&numbers, to - from, at);
  }
};

template <class Numbers>
class Row {
 public:
  explicit Row(void* workspace) : parts_(static_cast<Dense<Numbers>*>(workspace)) {}

  static size_t workspace(size_t parameters) { return parameters * sizeof(Dense<Numbers>); }

  /// Takes a parameter, its gradient and its state; what cannot be part of the row runs at once.
  void add(Loop loop, const Numbers& numbers, std::span<const View> operands) {
    constexpr unsigned all = 0b11111, all_but_grad = 0b11101;
    const auto is_last = [](const View& v) { return v.meta->is_contiguous(channels_last); };
    if (!are_dense(operands) && !std::ranges::all_of(operands, is_last)) {
      return map(loop, &numbers, operands, all, all_but_grad);
    }
    const Meta& param = *operands[0].meta;
    const auto bytes = static_cast<int64_t>(size_of(param.dtype));
    Dense<Numbers> part{size(), size() + param.numel(), bytes, loop, numbers, operands.size(), {}};
    for (size_t k = 0; k < operands.size(); ++k) part.operands[k] = operands[k].as<std::byte>();
    std::construct_at(parts_ + count_++, part);
  }
  void run() const {
    parallel_for(size(), kParallelElements, [this](int64_t begin, int64_t end) {
      const auto behind = [](int64_t at, const Dense<Numbers>& part) { return at < part.end; };
      const Dense<Numbers>* part = std::upper_bound(parts_, parts_ + count_, begin, behind);
      for (int64_t stop; begin < end; begin = stop, ++part) {
        stop = std::min(end, part->end);
        part->run(begin, stop);
      }
    });
  }

 private:
  int64_t size() const { return count_ == 0 ? 0 : parts_[count_ - 1].end; }

  Dense<Numbers>* parts_;
  size_t count_ = 0;
};

/// Raises the count of steps by one and returns it.
double count_step(const View& step) { return *step.as<double>() += 1; }

Loop loop_of(const Loop (&loops)[2], const View& param) {
  return loops[param.meta->dtype == float64 ? 1 : 0];
}

/// What follows from the number of the step; most parameters have made the same number.
class AdamNumbers {
 public:
  AdamNumbers(const AdamStep& op, double lr)
      : lr_(lr), loop_{op.beta1, op.beta2, op.eps, op.weight_decay, 0, 0, op.amsgrad} {}

  const AdamLoop& at(double step) {
    if (step == step_) return loop_;
    step_ = step;
    loop_.step_size = lr_ / (1 - std::pow(loop_.beta1, step));
    loop_.inverse_correction2 = 1 / std::sqrt(1 - std::pow(loop_.beta2, step));
    return loop_;
  }

 private:
  double lr_, step_ = 0;
  AdamLoop loop_;
};

}  // namespace
}  // namespace cpu

size_t SgdStep::workspace(std::span<const Meta> in, Device device) const {
  const size_t parameters = in.size() / writes_period;
  if (device.kind == Device::Kind::cuda) return cuda::update_workspace(parameters);
  return cpu::Row<cpu::SgdLoop>::workspace(parameters);
}

void SgdStep::cpu(const Launch& l) const {
  if (std::isnan(*l.in[0].as<double>())) return;
  cpu::SgdLoop numbers{*l.in[0].as<double>(), momentum, dampening, weight_decay, nesterov, false};
  cpu::Row<cpu::SgdLoop> row(l.workspace);
  for (size_t i = writes_from; i < l.in.size(); i += writes_period) {
    numbers.first = cpu::count_step(l.in[i + 3]) == 1;
    row.add(cpu::loop_of(cpu::update_table().sgd, l.in[i]), numbers,
            l.in.subspan(i, momentum > 0 ? 3 : 2));
  }
  row.run();
}

size_t AdamStep::workspace(std::span<const Meta> in, Device device) const {
  const size_t parameters = in.size() / writes_period;
  if (device.kind == Device::Kind::cuda) return cuda::update_workspace(parameters);
  return cpu::Row<cpu::AdamLoop>::workspace(parameters);
}

void AdamStep::cpu(const Launch& l) const {
  if (std::isnan(*l.in[0].as<double>())) return;
  cpu::AdamNumbers numbers(*this, *l.in[0].as<double>());
  cpu::Row<cpu::AdamLoop> row(l.workspace);
  for (size_t i = writes_from; i < l.in.size(); i += writes_period) {
    row.add(cpu::loop_of(cpu::update_table().adam, l.in[i]),
            numbers.at(cpu::count_step(l.in[i + 5])), l.in.subspan(i, amsgrad ? 5 : 4));
  }
  row.run();
}

size_t Unscale::workspace(std::span<const Meta> in, Device device) const {
  if (device.kind == Device::Kind::cuda) return 0;
  return cpu::Row<cpu::UnscaleLoop>::workspace(in.size() - 1);
}

void Unscale::cpu(const Launch& l) const {
  auto* found_inf = l.out[0].as<float>();
  *found_inf = 0;
  const cpu::UnscaleLoop numbers{1 / *l.in[0].as<float>(), found_inf};
  cpu::Row<cpu::UnscaleLoop> row(l.workspace);
  for (size_t i = writes_from; i < l.in.size(); ++i) {
    row.add(cpu::loop_of(cpu::update_table().unscale, l.in[i]), numbers, l.in.subspan(i, 1));
  }
  row.run();
}

void UpdateScale::cpu(const Launch& l) const {
  (*this)(*l.in[0].as<float>(), *l.in[1].as<int32_t>(), *l.in[2].as<float>() != 0);
}

}  // namespace reprise
