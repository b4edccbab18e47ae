#pragma once
// What the user sees: a live bar on stderr when that is a terminal, lines and tables on stdout.

#include <chrono>

#include "speed.h"
#include "training.h"

class Reporter {
 public:
  Reporter();
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  void operator()(const reprise::Progress& progress, bool epoch_done);

 private:
  void draw(const reprise::Progress& progress);
  void erase();

  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

/// What compiling the step saves: one line.
void print_costs(const StepCosts& costs);

/// Test accuracy, and one line per class.
void print_score(const Score& score, const std::vector<std::string>& classes);
