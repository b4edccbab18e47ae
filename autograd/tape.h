#pragma once
// Grad mode: whether op calls on this thread are remembered for backward. It is on at first.

#include "../core/dispatch.h"

namespace reprise {

/// Sets the grad mode of this thread for its lifetime.
class REPRISE_API GradModeGuard {
 public:
  explicit GradModeGuard(bool enabled);
  ~GradModeGuard();
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;

 private:
  bool before_;
};

/// Nothing is remembered, and any tensor may be changed in place.
struct NoGradGuard : GradModeGuard {
  NoGradGuard() : GradModeGuard(false) {}
};

/// Op calls are remembered, also inside a NoGradGuard.
struct EnableGradGuard : GradModeGuard {
  EnableGradGuard() : GradModeGuard(true) {}
};

}  // namespace reprise
