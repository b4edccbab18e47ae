#pragma once
// The inputs and outputs of a program that is bound.

#include "graph.h"

namespace reprise::detail {

/// A view whose address is that of an input or output of the run.
struct Patch {
  View* view;
  int64_t bytes;
};

/// An input or output: what it must be, and who looks at it.
struct Port {
  Meta meta;
  std::vector<Patch> patches;
  void* bound = nullptr;
  bool written = false;

  void bind(void* data) {
    if (data == bound) return;
    for (const Patch& p : patches) p.view->data = static_cast<std::byte*>(data) + p.bytes;
    bound = data;
  }
};

}  // namespace reprise::detail
