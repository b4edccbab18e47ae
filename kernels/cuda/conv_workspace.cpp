#include "conv_workspace.h"

#include "conv_dnn.h"
#include "conv_geometry.h"
#include "handles.h"
#include "mask.h"
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

ConvWork conv_work(ConvPass pass, const ConvShape& s, std::span<const Meta> in, bool bias) {
  return {pass, s, in[0].dtype, std::ranges::any_of(in, &Meta::is_channels_last), bias};
}

ConvWork conv_work(ConvPass pass, const ConvShape& s, const Launch& l, bool bias) {
  const auto is_last = [](const View& v) { return v.meta->is_channels_last(); };
  return {pass, s, l.out[0].meta->dtype, std::ranges::any_of(l.in, is_last), bias};
}

size_t conv_workspace(const ConvWork& work, Device device) {
  const size_t own = conv_slice_bytes(work.pass, work.shape, work.dtype);
  if (!has_devices()) return own;
  const OnDevice on(device.index);
  return std::max(own, dnn_conv_workspace(work));
}

size_t conv_mask_offset(const ConvWork& work, Device device) {
  constexpr size_t kAlignment = 64;
  const size_t before = conv_workspace(work, device);
  return (before + kAlignment - 1) / kAlignment * kAlignment;
}

size_t masked_conv_workspace(const ConvWork& work, Device device) {
  return conv_mask_offset(work, device) + mask_bytes(conv_results(work.pass, work.shape));
}

}  // namespace reprise::cuda
