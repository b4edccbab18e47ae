#pragma once
// trace: runs a C++ function once on tensors without values and writes down every op call it makes.
//
//   Graph g = trace([&](const Tensor& x) { return net(x); }, {meta_tensor(Meta({32, 784},
//   float32))});
//
// The function may use public ops, layers, backward(), grad, optimizers and in-place updates; the
// tape works as ever. Tensors that it did not get as inputs (parameters, buffers, constants) are
// captured by storage: nothing of them changes during the trace, and updates to them are part of
// the graph. C++ control flow is followed once and is not in the graph, so a Graph error is thrown
// where it would depend on a value that the graph makes. Values of captures may be read: what C++
// makes of them is a constant of the graph.
//
// Of gradients: the .grad() of a leaf that has one is captured like any tensor and added to in
// place, when it is dense in memory of its own; a leaf that has none begins every run without one,
// and has none after the trace.

#include <functional>
#include <vector>

#include "../layers/layer.h"
#include "graph.h"

namespace reprise {

/// Stands for an input: a tensor whose values do not matter, or its meta. An expanded tensor stands
/// for a dense one.
struct Example {
  Meta meta;
  bool requires_grad = false;
  Example(const Meta& m) : meta(m) {}
  REPRISE_API Example(const Tensor& x);
};

struct TraceOptions {
  nn::NamedTensors names = {};  ///< what captures are called; others become c0, c1, ...
};

namespace detail {

using Traceable = std::function<Tensors(const Tensors&)>;

REPRISE_API Graph trace(const Traceable& f, std::span<const Example> examples,
                        const TraceOptions& options);

/// f(inputs) or f(input, input, ...), with any result that a layer's forward may have, or none.
template <class F, size_t N = 0>
Tensors call_traceable(F& f, const Tensors& in) {
  const auto returned = [](auto&& call) -> Tensors {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return {};
    } else {
      return nn::detail::to_tensors(call());
    }
  };
  if constexpr (requires { f(in); }) {
    return returned([&]() -> decltype(auto) { return f(in); });
  } else {
    static_assert(N <= nn::detail::kMaxInputs, "trace: f takes tensors, or const Tensors&");
    return [&]<size_t... I>(std::index_sequence<I...>)->Tensors {
      if constexpr (requires { f(in[I]...); }) {
        check(in.size() == N, ErrorKind::Value, "trace: f takes ", N, " inputs, got ", in.size());
        return returned([&]() -> decltype(auto) { return f(in[I]...); });
      } else {
        return call_traceable<F, N + 1>(f, in);
      }
    }
    (std::make_index_sequence<N>());
  }
}

template <class F>
Traceable as_traceable(F& f) {
  return [&f](const Tensors& in) { return call_traceable(f, in); };
}

}  // namespace detail

/// The graph of `f`, called with one tensor for each example. Graph error when a value is read, and
/// for an output that does not come from the graph; besides, the errors of `f`.
template <class F>
Graph trace(F&& f, const std::vector<Example>& examples, const TraceOptions& options = {}) {
  return detail::trace(detail::as_traceable(f), examples, options);
}

}  // namespace reprise
