#include "op_family.h"

#include <algorithm>
#include <array>

namespace reprise::detail {
namespace {

constexpr std::array<OpFamily, 8> kFamilies{{{"convolution", "#7fa6d3"},
                                             {"matrix product", "#f5a55a"},
                                             {"normalization", "#c39bc0"},
                                             {"pooling", "#8cc085"},
                                             {"reduction, softmax", "#ee8a8b"},
                                             {"update", "#c0a08c"},
                                             {"elementwise", "#8cc8c3"},
                                             {"other", "#f1d470"}}};

/// The family of the first part that occurs in the name of an op.
struct Part {
  std::string_view part;
  size_t family;
};
constexpr std::array<Part, 13> kParts{{{"conv", 0},
                                       {"matmul", 1},
                                       {"linear", 1},
                                       {"norm", 2},
                                       {"pool", 3},
                                       {"softmax", 4},
                                       {"sum", 4},
                                       {"max", 4},
                                       {"sgd", 5},
                                       {"adam", 5},
                                       {"step", 5},
                                       {"fused", 6},
                                       {"dropout", 6}}};

}  // namespace

const OpFamily& family_of(const OpBase& op) {
  if (op.traits().elementwise != ElementwiseIndex{-1}) return kFamilies[6];
  const auto part = std::find_if(kParts.begin(), kParts.end(), [&](const Part& p) {
    return op.name().find(p.part) != std::string_view::npos;
  });
  return part == kParts.end() ? kFamilies.back() : kFamilies[part->family];
}

std::span<const OpFamily> op_families() { return kFamilies; }

}  // namespace reprise::detail
