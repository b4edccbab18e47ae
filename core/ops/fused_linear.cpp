#include "fused_linear.h"

namespace reprise {

Metas FusedLinear::infer(std::span<const Meta> in) const {
  check(in.size() == 3, ErrorKind::Value, "fused_linear: expected x, weight and bias, got ",
        in.size(), " inputs");
  return Linear{}.infer(in);
}

size_t FusedLinear::workspace(std::span<const Meta> in, Device device) const {
  return Linear{}.workspace(in, device);
}

}  // namespace reprise
