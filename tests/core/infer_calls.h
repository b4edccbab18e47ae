#pragma once
// Calls of every op as infer sees them.

#include <vector>

#include "../../core/op.h"

namespace reprise {

inline constexpr int64_t kHuge = int64_t{1} << 62;

/// A call, by its op and the metas of its operands.
struct Calls {
  OpRef op;
  std::vector<Meta> in;
};

using Table = std::vector<Calls>;

/// What public functions would make: at least one call of every op.
Table good_calls();
/// What only a file could ask for; each must be refused.
Table bad_calls();

}  // namespace reprise
