#pragma once
// Ops by family, each with a colour: for pictures.

#include <span>

#include "../core/op.h"

namespace reprise::detail {

struct OpFamily {
  std::string_view name, color;
};

const OpFamily& family_of(const OpBase& op);
std::span<const OpFamily> op_families();

}  // namespace reprise::detail
