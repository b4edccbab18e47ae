#pragma once
// The runs of elementwise ops that are compiled for the device they are called on.

#include "fused_code.h"
#include "layout.h"

namespace reprise::cuda {

/// Runs the code on `views`, the results and then the inputs, whose layout is given. False when
/// nothing was done, since there is no compiler for the device.
bool try_compiled(const FusedCode& code, const Layout& layout, std::span<const View> views,
                  Stream stream);

}  // namespace reprise::cuda
