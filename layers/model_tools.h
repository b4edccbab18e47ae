#pragma once
// Counting and comparing the parameters of modules. Buffers (the statistics of batch norm) are not
// looked at; a parameter that is shared within a module counts once.

#include "module.h"

namespace reprise::nn {

struct NumParametersOptions {
  bool trainable_only = false;  ///< those that require grad
};
/// Number of elements of the parameters.
REPRISE_API int64_t num_parameters(const Module& module, const NumParametersOptions& options = {});

/// In the order of module.parameters().
REPRISE_API std::vector<Shape> parameter_shapes(const Module& module);

/// Whether both have as many parameters, of the same shapes in the same order. Dtypes, names and
/// layers without parameters may differ.
REPRISE_API bool model_similar(const Module& a, const Module& b);

/// Whether they are similar and each parameter of `a` has the dtype and the values of the one of
/// `b` in its place. A NaN equals nothing.
REPRISE_API bool models_have_corresponding_parameters(const Module& a, const Module& b);

}  // namespace reprise::nn
