#pragma once
// The steps of a model with those of the models nested in it, and what a training call keeps of
// each: what a summary has rows for.

#include "replay_plan.h"

namespace reprise::detail {

/// At least as many when there is C++ code that could not be followed.
struct KeptBytes {
  int64_t bytes = 0;
  bool exact = true;

  KeptBytes& operator+=(const KeptBytes& more) {
    bytes += more.bytes;
    exact = exact && more.exact;
    return *this;
  }
};

struct SummaryTree {
  std::shared_ptr<const ReplayPlan> plan;
  std::vector<SummaryTree> nested;  ///< by step; without a plan where nothing is nested
  std::vector<KeptBytes> kept;      ///< by value; of several outputs all is at the first
};

/// With the plans of nested models and Sequentials when `expand`.
SummaryTree make_summary_tree(std::shared_ptr<const ReplayPlan> plan, bool expand);

/// Fills in `kept` for a batch of that size: the model is traced, and the tape is searched for
/// memory. The errors of layers, naming them.
void measure_kept(SummaryTree& tree, int64_t batch_size);

/// The value that stands for all outputs of a step: the first that is needed.
size_t first_output(const Step& step);

/// `meta` with a size in place of kUnknown.
Meta with_batch(const Meta& meta, int64_t batch_size);

}  // namespace reprise::detail
