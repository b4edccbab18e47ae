#include "compiled_gradient.h"

#include <algorithm>
#include <cstdlib>
#include <unordered_set>

#include "../autograd/record.h"
#include "../autograd/tape.h"
#include "../core/ops.h"

namespace reprise::detail {
namespace {

/// The same data without history.
Tensor bare(const Tensor& t) {
  return Tensor(make_ref<TensorImpl>(t.meta(), t.impl().storage, t.impl().offset));
}

uint32_t version_of(const Tensor& t) { return t.impl().storage->version(); }

class CompiledNode final : public Node {
 public:
  explicit CompiledNode(std::shared_ptr<CompiledGradient> gradient)
      : Node(nullptr), gradient_(std::move(gradient)) {}

  std::string_view name() const override { return "SymbolicModel"; }

  void keep(std::span<const Tensor> in, std::span<const Tensor> out) {
    for (const CrossingValue& value : gradient_->graphs().crossing) {
      crossing_.push_back(bare(value.is_input ? in[value.index] : out[value.index]));
      versions_.push_back(version_of(crossing_.back()));
    }
    for (const Tensor& t : gradient_->captured()) versions_.push_back(version_of(t));
  }

  Tensors vjp(const Vjp& v) override {
    check(!grad_enabled(), ErrorKind::Autograd,
          "SymbolicModel: the gradient of a compiled model has no history; for create_graph call "
          "decompile() before the forward");
    check_unchanged();
    return gradient_->backward(crossing_, v.gy);
  }

  void free_saved() override {
    Node::free_saved();
    released = true;
    crossing_.clear();
  }

 private:
  void check_unchanged() const {
    size_t i = 0;
    const auto check_one = [&](std::string_view what, const Tensor& t) {
      const uint32_t saved = versions_[i++], now = version_of(t);
      check(now == saved, ErrorKind::Autograd, "SymbolicModel: ", what, " of shape ", t.shape(),
            ", which the gradient needs, was changed in place: saved at version ", saved,
            ", now at version ", now);
    };
    for (const Tensor& t : crossing_) check_one("a value", t);
    for (const Tensor& t : gradient_->captured()) check_one("a parameter", t);
  }

  std::shared_ptr<CompiledGradient> gradient_;
  Tensors crossing_;
  std::vector<uint32_t> versions_;  // of the crossing values, then of captured tensors
};

/// Parameters in training change at every step, so ordering them ahead of a run does not pay.
CompileOptions for_training(CompileOptions options) {
  std::string& passes = options.passes;
  const bool all = passes.empty() && std::getenv("REPRISE_PASSES") == nullptr;
  if (all || passes.starts_with('-')) passes += passes.empty() ? "-pack_weights" : ",-pack_weights";
  return options;
}

std::vector<Tensor> captured_by(const GradientGraphs& graphs) {
  std::unordered_set<const Storage*> seen;
  std::vector<Tensor> out;
  for (const BackwardGraph& part : graphs.backward) {
    for (const Capture& capture : part.graph.captures) {
      if (seen.insert(capture.tensor.impl().storage.get()).second) out.push_back(capture.tensor);
    }
  }
  return out;
}

}  // namespace

CompiledGradient::CompiledGradient(GradientGraphs graphs, const CompileOptions& options,
                                   std::shared_ptr<std::atomic_flag> busy,
                                   const CompiledGradient* larger)
    : graphs_(std::move(graphs)),
      options_(for_training(options)),
      busy_(std::move(busy)),
      captured_(captured_by(graphs_)),
      forward_(make_program(std::move(graphs_.forward), larger ? &larger->forward_ : nullptr)) {
  for (const BackwardGraph& part : graphs_.backward) {
    const size_t k = backward_.size();
    const bool shares = larger != nullptr && k < larger->backward_.size() && larger->backward_[k];
    backward_.emplace_back();  // made when it is needed, or when memory is there
    if (shares) {
      backward_[k] = make_program(part.graph, &*larger->backward_[k]);
    } else if (k == 0) {
      backward_[k] = make_program(part.graph, nullptr);
    }
  }
}

Program CompiledGradient::make_program(Graph graph, const Program* larger) const {
  if (larger == nullptr) return Program(std::move(graph), options_);
  return Program(std::move(graph), options_, *larger);
}

std::vector<const Program*> CompiledGradient::backward_programs() const {
  std::vector<const Program*> out;
  for (const auto& program : backward_) {
    if (program) out.push_back(&*program);
  }
  return out;
}

Tensors CompiledGradient::forward(std::span<const Tensor> in) {
  Tensors all = forward_.call(in);
  const std::span<const Tensor> list = all;
  const Tensors out(list.first(graphs_.num_outputs));
  Tensors sources, differentiable;
  for (size_t i : graphs_.inputs) sources.push_back(in[i]);
  for (const Tensor& leaf : graphs_.leaves) sources.push_back(leaf);
  if (!records(sources)) return out;
  for (size_t i : graphs_.differentiable) differentiable.push_back(out[i]);
  auto node = make_ref<CompiledNode>(shared_from_this());
  take_inputs(*node, sources, 0);
  node->keep(in, all);
  give_outputs(*node, differentiable, 0);
  return out;
}

Program& CompiledGradient::program_of(size_t part) {
  auto& program = backward_[part];
  if (!program) program = make_program(graphs_.backward[part].graph, nullptr);
  return *program;
}

void CompiledGradient::run_part(size_t part, std::span<const Tensor> in, Tensors& gradients) {
  const TryLock lock(*busy_);  // who comes second pays for a program of its own
  Tensors out = lock ? program_of(part).call(in)
                     : make_program(graphs_.backward[part].graph, nullptr).call(in);
  const std::vector<size_t>& targets = graphs_.backward[part].targets;
  for (size_t i = 0; i < targets.size(); ++i) {
    Tensor& sum = gradients[targets[i]];
    sum = sum.defined() ? sum + out[i] : std::move(out[i]);
  }
}

Tensors CompiledGradient::backward(std::span<const Tensor> crossing, std::span<const Tensor> gy) {
  const auto is_for = [&](const BackwardGraph& part) {
    for (size_t i = 0; i < gy.size(); ++i) {
      if (gy[i].defined() != part.given[i]) return false;
    }
    return true;
  };
  const auto run = [&](const BackwardGraph& part, Tensors& gradients) {
    Tensors in;
    for (size_t which : part.reads) in.push_back(crossing[which]);
    for (size_t i = 0; i < gy.size(); ++i) {
      if (part.given[i]) in.push_back(gy[i]);
    }
    run_part(static_cast<size_t>(&part - graphs_.backward.data()), in, gradients);
  };
  Tensors gradients(graphs_.inputs.size() + graphs_.leaves.size());
  const auto exact = std::ranges::find_if(graphs_.backward, is_for);
  if (exact != graphs_.backward.end()) {
    run(*exact, gradients);
    return gradients;
  }
  for (size_t i = 0; i < gy.size(); ++i) {  // several of many: one after the other
    if (gy[i].defined()) run(graphs_.backward[1 + i], gradients);
  }
  return gradients;
}

}  // namespace reprise::detail
