#include "fused_linear.h"

#include "check_operands.h"

namespace reprise {

Metas FusedLinear::infer(std::span<const Meta> in) const {
  check_count(name, in, 3);
  return Linear{}.infer(in);
}

size_t FusedLinear::workspace(std::span<const Meta> in, Device device) const {
  return Linear{}.workspace(in, device);
}

}  // namespace reprise
