#pragma once
// Convolutions by cuDNN, where it has a plan that we accept (conv_plan.h): what is asked before our
// own kernel runs.

#include <optional>

#include "conv_work.h"

namespace reprise::cuda {

/// Workspace that the plans of a convolution may take, 0 when there is none. Makes the plan for the
/// current device and setting of TF32 if there is none yet.
size_t dnn_conv_workspace(const ConvWork& work);

/// One that cuDNN has a plan for.
struct DnnConv {
  int device;
  ConvWork work;  ///< with the bias if the plan adds it
  bool tf32;

  void run(ConvOperands operands, void* workspace, reprise::Stream stream) const;
};

/// None also for operands that do not lie as plans want them.
std::optional<DnnConv> find_dnn_conv(const ConvWork& work, const ConvOperands& operands);

}  // namespace reprise::cuda
