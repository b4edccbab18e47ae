#pragma once
// What the tests of passes share: graphs built by hand, read as lists of names, and run call by
// call.

#include <cstring>
#include <map>

#include "../../../core/dispatch.h"
#include "../../../core/ops/cat.h"
#include "../../../core/ops/create.h"
#include "../../../core/ops/elementwise.h"
#include "../../../core/ops/random.h"
#include "../../../core/ops/reduce.h"
#include "../../../core/ops/view.h"
#include "../../../graph/passes/passes.h"
#include "../../../graph/verify.h"
#include "../../core/expect.h"
#include "../../core/same_bits.h"

namespace reprise::test {

struct Builder {
  Graph g;

  ValueId input(const Shape& shape, DType dtype = float32) {
    g.inputs.push_back(g.add_root(Meta(shape, dtype)));
    return g.inputs.back();
  }
  ValueId capture(const Tensor& x) {
    g.captures.push_back({g.add_root(x.meta()), x, text("c", g.captures.size())});
    return g.captures.back().value;
  }
  template <Op T>
  ValueId call(const T& op, ValueIds in, ValueId into = kNoValue) {
    return g.add_call(Model<T>(op), std::move(in), into).out[0];
  }
  ValueId full(double value, const Shape& shape = {}, DType dtype = float32) {
    return call(Full{shape, value, dtype, Device::cpu()}, {});
  }
  ValueId expand(ValueId x, const Shape& shape) { return call(Expand{shape}, {x}); }

  Graph finish(std::initializer_list<ValueId> outputs) {
    for (ValueId id : outputs) g.outputs.push_back(id);
    verify(g);
    return g;
  }
};

/// "full expand | mul add": the names of the calls, the prologue in front of the bar if there is
/// one.
inline std::string calls(const Graph& g) {
  std::string out;
  for (size_t i = 0; i < g.code.size(); ++i) {
    if (i > 0) out += ' ';
    if (g.prologue > 0 && static_cast<size_t>(g.prologue) == i) out += "| ";
    out += g.code[i].op->name();
  }
  return out;
}

/// Runs a graph on its own copies of what it captured: its outputs and then its updates.
inline Tensors evaluate(const Graph& g, const Tensors& inputs) {
  std::vector<Tensor> values(g.values.size());
  const auto at = [&](ValueId id) -> Tensor& { return values[static_cast<size_t>(id)]; };
  std::map<const Storage*, Ref<Storage>> copies;
  for (size_t i = 0; i < inputs.size(); ++i) at(g.inputs[i]) = inputs[i].clone();
  for (const Capture& capture : g.captures) {
    const TensorImpl& original = capture.tensor.impl();
    Ref<Storage>& copy = copies[original.storage.get()];
    if (!copy) {
      copy = make_ref<Storage>(original.storage->nbytes(), original.storage->device());
      std::memcpy(copy->data(), original.storage->data(), copy->nbytes());
    }
    at(capture.value) = Tensor(make_ref<TensorImpl>(original.meta, copy, original.offset));
  }
  for (const Call& call : g.code) {
    Tensors in;
    for (ValueId id : call.in) in.push_back(at(id));
    Tensors out;
    if (call.op->name() == After::name) {
      out.push_back(in[0]);
    } else {
      out = run_eager(*call.op, in, call.into == kNoValue ? nullptr : &at(call.into));
    }
    for (size_t i = 0; i < in.size(); ++i) {
      if (call.op->traits().writes_input(i)) out.push_back(in[i]);
    }
    for (size_t k = 0; k < call.out.size(); ++k) at(call.out[k]) = out[k];
  }
  Tensors results;
  for (ValueId id : g.outputs) results.push_back(at(id).clone());
  for (const Update& update : g.updates) results.push_back(at(update.last).clone());
  return results;
}

inline void expect_same_bits(const Tensors& got, const Tensors& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(to_string(got[i].shape()), to_string(expected[i].shape()));
    ASSERT_EQ(got[i].dtype(), expected[i].dtype());
    EXPECT_TRUE(same_bits(got[i], expected[i])) << "result " << i;
  }
}

}  // namespace reprise::test
