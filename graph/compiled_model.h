#pragma once
// The programs of a SymbolicModel: made on first use, one for each kind of call.

#include "../core/autocast.h"
#include "compiled_gradient.h"
#include "model.h"
#include "replay_plan.h"

namespace reprise {

namespace detail {

/// What a call must look like to be served by the same program.
struct CallKey {
  struct InputKey {
    Meta meta;
    bool requires_grad;
  };
  bool grad;  // grad mode
  AutocastState autocast;
  std::vector<InputKey> inputs;        // requires_grad counts in grad mode
  std::vector<bool> training;          // by module
  std::vector<bool> requires_grad;     // by parameter, in grad mode
  std::vector<Ref<Storage>> storages;  // of parameters, buffers and constants
};

/// Why a kind of call runs layer by layer, or the program that serves it.
struct CallEntry {
  CallKey key;
  std::string reason = {};
  std::optional<Program> inference = {};
  std::shared_ptr<CompiledGradient> gradient = {};

  const Program& program() const { return inference ? *inference : gradient->forward_program(); }
};

/// Shared by the copies of a model. Any thread may call it at any time; one at a time is served.
class CompiledModel {
 public:
  explicit CompiledModel(std::shared_ptr<const ReplayPlan> plan);

  /// Errors of the options: Value. Graph error inside a trace, or while another thread runs it.
  void compile(const nn::Module& model, const ModelCompileOptions& options);
  void decompile();
  bool is_compiled() const { return on_.load(std::memory_order_acquire); }
  /// None when the call is to be run layer by layer.
  std::optional<Tensors> call(std::span<const Tensor> in);
  std::string report() const;
  const ModelCompileOptions& options() const { return options_; }

 private:
  using Entries = std::vector<std::unique_ptr<CallEntry>>;  // most recently used first

  class Part;  // what lies between two host steps, with programs of its own

  void clear();
  /// `at` cannot be traced: from now on it and its like run as they are, between parts.
  void split(size_t at);
  void prepare(int64_t batch, bool grad);
  /// A layer with hooks, or null.
  const nn::Module* hooked() const;
  bool matches(const CallKey& key, std::span<const Tensor> in, bool grad) const;
  CallKey make_key(std::vector<CallKey::InputKey> inputs, bool grad) const;
  /// Null when the model was split instead.
  CallEntry* find_or_make(std::span<const Tensor> in);
  CallEntry* add(CallKey key);
  /// `step` is the one that is traced.
  void make(CallEntry& entry, size_t& step) const;
  const CallEntry* larger_than(const CallKey& key) const;
  void drop_stale();
  std::string split_report() const;

  const std::shared_ptr<const ReplayPlan> plan_;
  const std::shared_ptr<std::atomic_flag> busy_ = std::make_shared<std::atomic_flag>();
  std::atomic<bool> on_ = false;
  ModelCompileOptions options_;
  std::vector<std::shared_ptr<nn::Module>> modules_;  // below the model
  std::vector<Tensor> tensors_;
  Entries entries_, fallbacks_;
  std::shared_ptr<const ReplayPlan> split_;  // parts and host steps; null for a model of one part
};

class CompiledModel::Part final : public Callable {
 public:
  Part(ReplayPlan plan, const CompiledModel& whole);
  std::string name() const override { return "part"; }
  Tensors call(std::span<const Tensor> in) override;
  std::shared_ptr<Callable> copy() const override;
  std::string report() const { return compiled_.report(); }

 private:
  std::shared_ptr<const ReplayPlan> plan_;
  CompiledModel compiled_;
};

}  // namespace detail
}  // namespace reprise
