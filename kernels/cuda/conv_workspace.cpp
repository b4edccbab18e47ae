#include "conv_workspace.h"

namespace reprise::cuda {

size_t conv_workspace(ConvPass pass, const ConvShape& s, DType dtype, Device) {
  return conv_slice_bytes(pass, s, dtype);
}

}  // namespace reprise::cuda
