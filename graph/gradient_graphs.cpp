#include "gradient_graphs.h"

#include "../autograd/differentiate.h"
#include "../autograd/engine.h"
#include "../autograd/leaves.h"
#include "../autograd/tape.h"
#include "passes/passes.h"
#include "split_graph.h"

namespace reprise::detail {
namespace {

struct Forward {
  Graph graph;
  std::vector<Meta> differentiable;  // dense metas of the outputs that require grad
};

/// First the forward alone: it tells what gradients the backward will get.
Forward trace_forward(const Traceable& f, std::span<const Example> examples,
                      const TraceOptions& options, GradientGraphs& result) {
  Forward out;
  const auto forward = [&](const Tensors& in) {
    const Tensors ys = f(in);
    for (size_t i = 0; i < ys.size(); ++i) {
      if (!ys[i].requires_grad()) continue;
      result.differentiable.push_back(i);
      out.differentiable.push_back(ys[i].meta().dense());
    }
    result.num_outputs = ys.size();
    return ys;
  };
  out.graph = trace(forward, examples, options);
  return out;
}

/// Which outputs have gradients in each backward.
std::vector<std::vector<bool>> choices(size_t outputs) {
  std::vector<std::vector<bool>> out{std::vector<bool>(outputs, true)};
  for (size_t i = 0; i < outputs && outputs > 1; ++i) {
    out.emplace_back(outputs, false);
    out.back()[i] = true;
  }
  return out;
}

Tensors chosen(const Tensors& from, const std::vector<bool>& which) {
  Tensors out;
  for (size_t i = 0; i < from.size(); ++i) {
    if (which[i]) out.push_back(from[i]);
  }
  return out;
}

/// The function that is traced: (inputs, gradients of outputs) -> outputs, then gradients.
class Joint {
 public:
  Joint(const Traceable& f, size_t inputs, GradientGraphs& result)
      : f_(f), inputs_(inputs), result_(result) {}

  Tensors operator()(const Tensors& all) {
    const std::span<const Tensor> list = all;
    const Tensors in(list.first(inputs_)), gy(list.subspan(inputs_));
    Tensors out = f_(in), ys;
    for (size_t i : result_.differentiable) ys.push_back(out[i]);
    const Tensors targets = find_targets(in, ys);
    const auto masks = choices(ys.size());
    for (size_t k = 0; k < masks.size(); ++k) {
      BackwardGraph& part = result_.backward.emplace_back();
      part.given = masks[k];
      const std::string name = backward_scope(k);
      const detail::Scope scope(name);
      const Tensors gradients =
          grad(chosen(ys, masks[k]), targets,
               {.grad_outputs = chosen(gy, masks[k]), .retain_graph = true, .allow_unused = true});
      for (size_t i = 0; i < targets.size(); ++i) {
        if (!gradients[i].defined()) continue;
        part.targets.push_back(i);
        out.push_back(gradients[i]);
      }
    }
    return out;
  }

 private:
  Tensors find_targets(const Tensors& in, const Tensors& ys) {
    Tensors targets;
    for (size_t i = 0; i < in.size(); ++i) {
      if (!in[i].requires_grad()) continue;
      result_.inputs.push_back(i);
      targets.push_back(in[i]);
    }
    for (const Tensor& leaf : leaves_of(ys)) {
      if (leaf.is_traced()) continue;
      check(!has_gradient_hook(leaf), ErrorKind::Graph, "a parameter of shape ", leaf.shape(),
            " has a gradient hook");
      result_.leaves.push_back(leaf);
      targets.push_back(leaf);
    }
    return targets;
  }

  const Traceable& f_;
  size_t inputs_;
  GradientGraphs& result_;
};

}  // namespace

GradientGraphs trace_gradients(const Traceable& f, std::span<const Example> examples,
                               const TraceOptions& options) {
  const EnableGradGuard grad_mode;
  GradientGraphs result;
  Forward forward = trace_forward(f, examples, options, result);
  if (result.differentiable.empty()) {
    result.forward = std::move(forward.graph);
    return result;
  }
  std::vector<Example> all(examples.begin(), examples.end());
  for (const Meta& meta : forward.differentiable) all.emplace_back(meta);
  Joint joint(f, examples.size(), result);
  const Graph graph = trace([&](const Tensors& in) { return joint(in); }, all, options);
  split_graph(graph, examples.size(), result);
  return result;
}

}  // namespace reprise::detail
