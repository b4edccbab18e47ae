#pragma once
// Convolutions by cuDNN, where it has a plan that we accept (conv_plan.h): what is asked before our
// own kernel runs. Operands are x, weight and y, or their gradients.

#include <array>
#include <optional>

#include "conv_geometry.h"

namespace reprise::cuda {

using ConvOperands = std::array<void*, 3>;

/// Workspace that the plans of a convolution may take, 0 when there is none. Makes the plan for the
/// current device and setting of TF32 if there is none yet.
size_t dnn_conv_workspace(ConvPass pass, const ConvShape& s, DType dtype);

/// One that cuDNN has a plan for.
struct DnnConv {
  int device;
  ConvPass pass;
  ConvShape shape;
  DType dtype;
  bool tf32;

  void run(const ConvOperands& operands, void* workspace, reprise::Stream stream) const;
};

/// None also for operands that do not lie as plans want them.
std::optional<DnnConv> find_dnn_conv(ConvPass pass, const ConvShape& s, DType dtype,
                                     const ConvOperands& operands);

}  // namespace reprise::cuda
