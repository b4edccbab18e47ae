#pragma once
// What the report and the picture of a plan share.

#include "plan.h"

namespace reprise::detail {

/// "640 B", "1.5 KiB", "12.3 MiB"
std::string bytes_text(int64_t bytes);
/// "1.04"; "1.00" when both are 0.
std::string ratio_text(int64_t a, int64_t b);

/// A value or workspace in the arena. What takes over another one's bytes begins where that ends.
struct Bar {
  int32_t call = 0;          ///< that makes it
  ValueId value = kNoValue;  ///< kNoValue for workspace
  int64_t offset = 0, bytes = 0;
  int32_t first = 0, end = 0;  ///< calls first .. end - 1
};

/// By call. Values that are made outside, in place, or in tensors of the caller have none.
std::vector<Bar> bars_of(const Graph& graph, const Plan& plan);

}  // namespace reprise::detail
