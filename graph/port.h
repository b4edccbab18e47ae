#pragma once
// What a program that is bound is made of: calls with addresses, inputs and outputs.

#include "../core/op.h"
#include "graph.h"

namespace reprise::detail {

/// One op call with its operands resolved.
struct BoundCall {
  OpRef op;
  Launch launch;
  int32_t call;  // index into the code; its size for the copy of an output
  Device device = {};
};

/// A view whose address is that of an input or output of the run.
struct Patch {
  View* view;
  int64_t bytes;
};

/// An input or output: what it must be, and who looks at it.
struct Port {
  Meta meta;
  std::vector<Patch> patches;
  void* bound = nullptr;  // the caller's tensor of this run
  bool written = false;

  void bind(void* data) {
    if (data != bound) patch(data);
    bound = data;
  }
  /// From now on those who look at it look there, wherever the caller's tensor lies.
  void settle(std::byte* place) {
    patch(place);
    patches.clear();
  }

 private:
  void patch(void* data) {
    for (const Patch& p : patches) p.view->data = static_cast<std::byte*>(data) + p.bytes;
  }
};

}  // namespace reprise::detail
