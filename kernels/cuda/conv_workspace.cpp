#include "conv_workspace.h"

#include "conv_dnn.h"
#include "conv_mask.h"
#include "handles.h"
#include "on_device.h"

namespace reprise::cuda {
namespace {

/// CUDA's own: tests play others.
bool has_devices() {
  static const bool found = [] {
    int devices = 0;
    const bool counted = cudaGetDeviceCount(&devices) == cudaSuccess;
    if (!counted) (void)cudaGetLastError();
    return counted && devices > 0;
  }();
  return found;
}

}  // namespace

size_t conv_workspace(ConvPass pass, const ConvShape& s, DType dtype, Device device) {
  const size_t own = conv_slice_bytes(pass, s, dtype);
  if (!has_devices()) return own;
  const OnDevice on(device.index);
  return std::max(own, dnn_conv_workspace(pass, s, dtype));
}

size_t conv_mask_offset(const ConvShape& s, DType dtype, Device device) {
  constexpr size_t kAlignment = 64;
  const size_t before = conv_workspace(ConvPass::input_grad, s, dtype, device);
  return (before + kAlignment - 1) / kAlignment * kAlignment;
}

size_t masked_conv_workspace(const ConvShape& s, DType dtype, Device device) {
  return conv_mask_offset(s, dtype, device) + mask_bytes(conv_results(ConvPass::input_grad, s));
}

}  // namespace reprise::cuda
