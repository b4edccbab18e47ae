#pragma once
// Convolutions as cuDNN prepares them: an operation graph, an engine that its heuristics propose
// and that we accept, and the plan made of both.

#include <optional>

#include "conv_work.h"
#include "dnn_descriptor.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {

struct ConvRequest {
  ConvWork work;
  bool tf32 = false;  ///< float32 may be rounded: tensor cores, and transforms that add up errors
  size_t room = 0;    ///< the most workspace that a plan may take
};

/// For what a plan is made: the device of a handle, or one that is only described (in tests).
struct DnnTarget {
  cudnnHandle_t handle = nullptr;
  const DnnDescriptor* properties = nullptr;
};

class ConvPlan {
 public:
  explicit ConvPlan(DnnDescriptor plan);

  size_t workspace() const { return workspace_; }
  /// Operands at multiples of kDnnAlignment (conv_graph.h), with a bias if the work has one.
  void run(cudnnHandle_t handle, const ConvOperands& operands, void* workspace) const;

 private:
  DnnDescriptor plan_;
  size_t workspace_;
};

/// Whether an engine with these notes gives results that we promise: the same bits each time, and
/// sums in float32 of products that are not rounded, unless tf32 is allowed.
bool accepts(std::span<const cudnnBackendNumericalNote_t> notes, DType dtype, bool tf32);

/// The first acceptable plan of those that a heuristic proposes; none where cuDNN has none.
/// OutOfMemory error where it only lacks memory.
std::optional<ConvPlan> make_conv_plan(const ConvRequest& request, const DnnTarget& target,
                                       cudnnBackendHeurMode_t mode);
/// Of the tuned engines or, where none is acceptable, of the generic ones.
std::optional<ConvPlan> make_conv_plan(const ConvRequest& request, const DnnTarget& target);

}  // namespace reprise::cuda

#endif
