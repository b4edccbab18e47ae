#pragma once
// Training for some epochs, and testing.

#include <atomic>
#include <functional>

#include "step.h"

struct Training {
  reprise::SymbolicModel& model;
  Step& step;
  reprise::optim::Schedule* schedule;  ///< null: the learning rate stays
  reprise::DataLoader& loader;
  int64_t epochs;
  const std::atomic<bool>& stop;  ///< ends the training after the batch at hand
  /// Called after each batch and, with `done`, after each epoch.
  std::function<void(const reprise::Progress&, bool done)> report;
};

/// Value error when the loss is no longer finite.
void train(const Training& training);

/// Images of each class: how many there are, and how many the model gets right.
struct Score {
  std::vector<int64_t> images, correct;

  int64_t total_images() const;
  int64_t total_correct() const;
};

/// Sets the model to eval mode. Ends early when `stop` is set.
Score test(reprise::SymbolicModel& model, reprise::DataLoader& loader,
           const std::atomic<bool>& stop);
