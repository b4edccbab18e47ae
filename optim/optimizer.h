#pragma once
// Optimizer: what all of them share. Names, arguments and defaults are those of torch.optim.

#include <memory>
#include <span>
#include <vector>

#include "../core/tensor.h"

namespace reprise::optim {

/// Parameters that share options.
template <class Options>
struct ParamGroup {
  std::vector<Tensor> params;
  Options options;
};

class REPRISE_API Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates in place every parameter that has a gradient.
  void step();
  /// Gives up all gradients, or fills them with zeros.
  void zero_grad(bool set_to_none = true);

  size_t num_groups() const { return lrs_.size(); }
  /// Learning rate of a group. Index error.
  double lr(size_t group = 0) const;
  void set_lr(double lr, size_t group);
  /// Of all groups. Value error below 0.
  void set_lr(double lr);

 protected:
  /// A parameter and what the optimizer remembers of it, empty before its first step.
  struct Slot {
    Tensor param;
    size_t group;
    Tensors state;
  };

  /// `name` stands in front of error texts.
  explicit Optimizer(std::string_view name) : name_(name) {}
  /// Value error for no parameters, for one that is not a leaf or was given before, and a bad lr.
  void add_group(std::span<const Tensor> params, double lr);
  /// Updates one parameter. `lr` is a 0-dim float64 tensor. Gradients are not recorded.
  virtual void update(Slot& slot, const Tensor& grad, const Tensor& lr) = 0;

  template <class... Parts>
  void check_option(bool ok, const Parts&... parts) const {
    check(ok, ErrorKind::Value, name_, ": expected ", parts...);
  }

 private:
  void check_group(size_t group) const;

  std::string_view name_;
  std::vector<Slot> slots_;
  std::vector<Tensor> lrs_;
};

}  // namespace reprise::optim
