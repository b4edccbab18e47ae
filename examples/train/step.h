#pragma once
// One step of training: forward, loss, backward, update.

#include <reprise/reprise.h>

#include <map>

class Step {
 public:
  /// `compiled`: through one program for each size of batch, made when it first comes; else op by
  /// op. The same bits either way.
  Step(reprise::SymbolicModel& model, reprise::optim::Optimizer& optimizer, bool compiled);

  /// The loss before the update, and the logits.
  reprise::Tensors operator()(const reprise::Tensor& images, const reprise::Tensor& labels);

 private:
  reprise::Tensors eager(const reprise::Tensor& images, const reprise::Tensor& labels);
  reprise::TrainingStep& program_for(const reprise::Tensor& images, const reprise::Tensor& labels);

  reprise::SymbolicModel& model_;
  reprise::optim::Optimizer& optimizer_;
  bool compiled_;
  std::map<int64_t, reprise::TrainingStep> programs_;  // by size of batch
};
