#pragma once
// The ops of the golden files as functions of this library.

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "../../core/ops.h"

namespace reprise::test {

using Json = nlohmann::json;
/// Inputs and attributes of a case -> its outputs.
using GoldenOp = std::function<Tensors(const Tensors& x, const Json& attrs)>;

const std::map<std::string, GoldenOp>& golden_ops();

/// Ops of the golden files that this library does not have yet.
const std::set<std::string>& missing_ops();

}  // namespace reprise::test
