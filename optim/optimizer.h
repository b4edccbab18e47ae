#pragma once
// Optimizer: what all of them share. Names, arguments and defaults are those of torch.optim.

#include <memory>
#include <span>
#include <vector>

#include "../core/op.h"
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

  /// Updates in place every parameter that has a gradient; with `skip`, a 0-dim tensor, only when
  /// that is 0, which is found out where it lies.
  void step(const Tensor& skip = {});
  /// Gives up all gradients, or fills them with zeros.
  void zero_grad(bool set_to_none = true);

  /// All parameters, group by group.
  std::vector<Tensor> parameters() const;
  size_t num_groups() const { return groups_.size(); }
  /// Learning rate of a group. Index error.
  double lr(size_t group = 0) const;
  void set_lr(double lr, size_t group);
  /// Of all groups. Value error below 0.
  void set_lr(double lr);

  /// All that steps read and write besides parameters and gradients: the learning rate of each
  /// group, then what is remembered of each parameter that has made a step.
  std::vector<Tensor> state() const;

 protected:
  /// `name` stands in front of error texts.
  explicit Optimizer(std::string_view name) : name_(name) {}
  /// `step` is the op that updates a parameter (core/ops/update.h). Value error for no parameters,
  /// for one that is not a leaf or was given before, and a bad lr.
  void add_group(std::span<const Tensor> params, double lr, OpRef step);
  /// What is remembered of a parameter before its first step, in the order the op takes it. No two
  /// share memory, even when empty: a trace knows tensors by their memory.
  virtual Tensors start(const Tensor& param, size_t group) const = 0;

  template <class... Parts>
  void check_option(bool ok, const Parts&... parts) const {
    check(ok, ErrorKind::Value, name_, ": expected ", parts...);
  }

 private:
  struct Group {
    Tensor lr;  // 0-dim float64
    OpRef step;
  };
  /// A parameter and what is remembered of it, nothing before its first step.
  struct Slot {
    Tensor param;
    size_t group;
    Tensors state;
  };

  /// The learning rate as a step is given it.
  Tensor rate(size_t group, const Tensor& skip) const;
  /// Makes what a step remembers, and lets it follow a parameter to another device.
  void prepare(Slot& slot);
  void check_group(size_t group) const;

  std::string_view name_;
  std::vector<Slot> slots_;
  std::vector<Group> groups_;
};

/// What an op takes for state that it does not use.
Tensor unused_like(const Tensor& param);

}  // namespace reprise::optim
