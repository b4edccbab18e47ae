#include "schedule.h"

#include <cmath>
#include <numbers>

namespace reprise::optim {

Schedule::Schedule(Optimizer& optimizer) : optimizer_(optimizer) {
  for (size_t g = 0; g < optimizer.num_groups(); ++g) base_.push_back(optimizer.lr(g));
}

void Schedule::step() {
  ++epoch_;
  for (size_t g = 0; g < base_.size(); ++g) optimizer_.set_lr(rate(base_[g]), g);
}

StepLR::StepLR(Optimizer& optimizer, int64_t step_size, double gamma)
    : Schedule(optimizer), step_size_(step_size), gamma_(gamma) {
  check(step_size > 0, ErrorKind::Value, "StepLR: expected step_size > 0, got ", step_size);
}

double StepLR::rate(double base) const {
  return base * std::pow(gamma_, static_cast<double>(epoch() / step_size_));
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min)
    : Schedule(optimizer), period_(T_max), eta_min_(eta_min) {
  check(T_max > 0, ErrorKind::Value, "CosineAnnealingLR: expected T_max > 0, got ", T_max);
}

double CosineAnnealingLR::rate(double base) const {
  const double progress = static_cast<double>(epoch()) / static_cast<double>(period_);
  return eta_min_ + (base - eta_min_) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

}  // namespace reprise::optim
