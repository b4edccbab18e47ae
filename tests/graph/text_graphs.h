#pragma once
// Graphs by hand that have everything a graph can have.

#include "../../core/model.h"
#include "../../core/ops/conv.h"
#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/matmul.h"
#include "../../core/ops/norm.h"
#include "../../core/ops/reduce.h"
#include "../../core/ops/view.h"
#include "../../graph/graph.h"

namespace reprise::test {

template <Op T>
ValueId call(Graph& g, const T& op, const ValueIds& in, ValueId into = kNoValue,
             std::string where = {}) {
  return g.add_call(Model(op), in, into, std::move(where)).out[0];
}

inline ValueId input(Graph& g, const Meta& meta) {
  g.inputs.push_back(g.add_root(meta));
  return g.inputs.back();
}

inline ValueId capture(Graph& g, std::string name, const Meta& meta) {
  g.captures.push_back({g.add_root(meta), {}, std::move(name)});
  return g.captures.back().value;
}

/// A linear layer whose weight is transposed once, then in place: x w^T, relu, and w -= its sum.
inline Graph small_graph() {
  Graph g;
  const ValueId x = input(g, Meta({8, 4}, float32));
  const ValueId w = capture(g, "fc.weight", Meta({2, 4}, float32));
  const ValueId count = capture(g, "my count", Meta({}, int64));
  const ValueId t = call(g, Permute{{1, 0}}, {w});
  g.prologue = 1;
  const ValueId y = call(g, MatMul{}, {x, t}, kNoValue, "fc");
  const ValueId z = call(g, Relu{}, {y}, y, "act");
  const ValueId one = call(g, Full{{}, 1, int64, {}}, {});
  const ValueId next = call(g, Add{}, {count, one}, count);
  g.updates.push_back({count, next});
  g.outputs = {z, x};
  return g;
}

/// Views, writes to some inputs, writes over a view, values read after a write, dead values.
inline Graph large_graph() {
  Graph g;
  const ValueId x = input(g, Meta({4, 3, 8, 8}, float32));
  const ValueId wide = input(g, Meta({4, 6}, {1, 4}, float32));
  const ValueId w = capture(g, "conv.weight", Meta({5, 3, 3, 3}, float32));
  const ValueId b = capture(g, "conv.bias", Meta({5}, float32));
  const ValueId gamma = capture(g, "12", Meta({5}, float32));
  const ValueId beta = capture(g, "", Meta({5}, float32));
  const ValueId mean = capture(g, "a \"quoted\\\" name\n%7", Meta({5}, float32));
  const ValueId var = capture(g, "bn.running-var", Meta({5}, float32));
  const ValueId count = capture(g, "bn.count", Meta({}, int64));
  const ValueId part = g.add_view(var, Meta({2}, {2}, float32), 1);
  g.captures.push_back({part, {}, "bn.part"});
  g.add_root(Meta({9}, float64));  // nobody's
  const ValueId twice = call(g, Add{}, {gamma, gamma}, kNoValue, "twice gamma");
  g.prologue = 1;
  Conv2d conv;
  conv.padding = {1, 0};
  const ValueId y = call(g, conv, {x, w, b}, kNoValue, "layer1.conv");
  const Call bn =
      g.add_call(Model(BatchNorm{}), {y, twice, beta, mean, var, count}, kNoValue, "layer1.bn");
  const ValueId half = call(g, StridedSlice{0, 1, 2, 2}, {bn.out[0]});
  const ValueId changed = call(g, Exp{}, {half}, half);
  const ValueId whole = call(g, After{}, {bn.out[0], changed});
  const Call top = g.add_call(Model(MaxDim{1, false, true}), {wide});
  const ValueId late = call(g, After{}, {part, bn.out[4]});
  g.updates = {{mean, bn.out[3]}, {var, bn.out[4]}, {count, bn.out[5]}};
  g.outputs = {whole, top.out[1], late, whole, wide};
  return g;
}

}  // namespace reprise::test
