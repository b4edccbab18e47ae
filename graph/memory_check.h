#pragma once
// MemoryCheck: watches a program's arena while it runs. Behind every slot stand canaries as long as
// the slot is in use, and its bytes become signalling NaN once it is free, so that a call that
// writes past its memory, or reads what is gone, does not go unseen.

#include <cstddef>

#include "plan.h"

namespace reprise {

class MemoryCheck {
 public:
  /// `plan` was made with a gap of kGap.
  MemoryCheck(const Plan& plan, std::byte* arena);

  static constexpr int64_t kGap = 64;

  void before(int32_t call);
  /// Internal error naming `op` when a canary is gone.
  void after(int32_t call, std::string_view op);

 private:
  std::byte* behind(int32_t slot) const;

  const Plan& plan_;
  std::byte* arena_;
  std::vector<std::vector<int32_t>> begins_, ends_;  // slots by call
  std::vector<int32_t> watched_;
};

}  // namespace reprise
