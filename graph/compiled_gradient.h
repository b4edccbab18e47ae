#pragma once
// A function with its gradient as programs: one for the forward, one for the backward, tied by a
// node of the tape.

#include <atomic>
#include <optional>

#include "gradient_graphs.h"
#include "program.h"

namespace reprise::detail {

/// Owns a flag while it lives, unless somebody else does.
class TryLock {
 public:
  explicit TryLock(std::atomic_flag& flag)
      : flag_(flag.test_and_set(std::memory_order_acquire) ? nullptr : &flag) {}
  ~TryLock() {
    if (flag_ != nullptr) flag_->clear(std::memory_order_release);
  }
  TryLock(const TryLock&) = delete;
  explicit operator bool() const { return flag_ != nullptr; }

 private:
  std::atomic_flag* flag_;
};

/// Held by whoever calls it and by the nodes that it made, so that a backward may come late.
class CompiledGradient : public std::enable_shared_from_this<CompiledGradient> {
 public:
  /// Shares the arenas of `larger`, when there is one and they fit. `busy` is owned whenever
  /// `forward` is called.
  CompiledGradient(GradientGraphs graphs, const CompileOptions& options,
                   std::shared_ptr<std::atomic_flag> busy, const CompiledGradient* larger);

  /// The outputs; one node is the history of those that can be differentiated.
  Tensors forward(std::span<const Tensor> in);
  /// Gradients of inputs and leaves for those of the outputs, some of which are undefined. Any
  /// thread may call it.
  Tensors backward(std::span<const Tensor> crossing, std::span<const Tensor> gy);

  const GradientGraphs& graphs() const { return graphs_; }
  /// What a backward reads where it lies, once for each memory.
  const std::vector<Tensor>& captured() const { return captured_; }
  const Program& forward_program() const { return forward_; }
  /// Those made so far.
  std::vector<const Program*> backward_programs() const;

 private:
  Program make_program(Graph graph, const Program* larger) const;
  Program& program_of(size_t part);
  void run_part(size_t part, std::span<const Tensor> in, Tensors& gradients);

  GradientGraphs graphs_;
  CompileOptions options_;
  std::shared_ptr<std::atomic_flag> busy_;
  std::vector<Tensor> captured_;
  Program forward_;
  std::vector<std::optional<Program>> backward_;
};

}  // namespace reprise::detail
