#pragma once
// Learning-rate schedules: `step` after each epoch sets the rates of an optimizer, which must
// outlive the schedule. Closed forms of torch.optim.lr_scheduler.

#include "optimizer.h"

namespace reprise::optim {

class REPRISE_API Schedule {
 public:
  virtual ~Schedule() = default;
  void step();
  int64_t epoch() const { return epoch_; }

 protected:
  explicit Schedule(Optimizer& optimizer);
  /// The rate at epoch() of a group that started at `base`.
  virtual double rate(double base) const = 0;

 private:
  Optimizer& optimizer_;
  std::vector<double> base_;
  int64_t epoch_ = 0;
};

/// base gamma^(epoch / step_size), the quotient rounded down. Value error for step_size < 1.
class REPRISE_API StepLR : public Schedule {
 public:
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1);

 protected:
  double rate(double base) const override;

 private:
  int64_t step_size_;
  double gamma_;
};

/// Half a cosine from base down to eta_min within T_max epochs, and up again after it (Loshchilov
/// and Hutter, 2017). Value error for T_max < 1.
class REPRISE_API CosineAnnealingLR : public Schedule {
 public:
  CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0);

 protected:
  double rate(double base) const override;

 private:
  int64_t period_;
  double eta_min_;
};

}  // namespace reprise::optim
