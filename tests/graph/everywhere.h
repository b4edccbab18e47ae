#pragma once
// A function of tensors run eagerly, replayed by a symbolic model and replayed from a trace.

#include <gtest/gtest.h>

#include "../../graph/model.h"
#include "replay.h"

namespace reprise::test {

using ListFunction = std::function<Tensors(const Tensors&)>;

/// Symbols for such tensors: with a batch of unknown size, or of the shapes as they are.
inline Tensors symbols_like(const Tensors& data, bool unknown_batch) {
  Tensors out;
  for (const Tensor& x : data) {
    Shape shape = x.shape();
    if (unknown_batch && !shape.empty()) shape[0] = kUnknown;
    out.push_back(Input({}, {.batch_shape = shape, .dtype = x.dtype()}));
  }
  return out;
}

/// What `f` gives eagerly, after its replays gave the same bits.
inline Tensors run_everywhere(const ListFunction& f, const Tensors& data,
                              bool unknown_batch = true) {
  const Tensors expected = f(data), inputs = symbols_like(data, unknown_batch);
  SymbolicModel model(inputs, f(inputs));
  EXPECT_EQ(difference(model.call(data), expected, "output of the model"), "");
  Program program = compile(f, std::vector<Example>(data.begin(), data.end()));
  EXPECT_EQ(difference(program.call(data), expected, "output of the program"), "");
  return expected;
}

}  // namespace reprise::test
