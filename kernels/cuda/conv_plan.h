#pragma once
// Convolutions as cuDNN prepares them: an operation graph, an engine that its heuristics propose
// and that we accept, and the plan made of both.

#include <array>
#include <optional>

#include "conv_geometry.h"
#include "dnn_descriptor.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {

struct ConvRequest {
  ConvPass pass;
  ConvShape shape;
  DType dtype;
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
  /// x, weight and y, or their gradients, at multiples of kDnnAlignment.
  void run(cudnnHandle_t handle, const std::array<void*, 3>& operands, void* workspace) const;

 private:
  DnnDescriptor plan_;
  size_t workspace_;
};

inline constexpr int64_t kDnnAlignment = 16;

/// Whether an engine with these notes gives results that we promise: the same bits each time, and
/// sums of float32 products unless tf32 is allowed.
bool accepts(std::span<const cudnnBackendNumericalNote_t> notes, DType dtype, bool tf32);

/// The first acceptable plan; none where cuDNN has none.
std::optional<ConvPlan> make_conv_plan(const ConvRequest& request, const DnnTarget& target);

}  // namespace reprise::cuda

#endif
