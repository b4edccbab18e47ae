// What a compiled model tells about itself.

#include "compiled_model.h"
#include "cuda_replay.h"

namespace reprise::detail {
namespace {

std::vector<const Program*> programs_of(const CallEntry& entry) {
  if (entry.inference) return {&*entry.inference};
  std::vector<const Program*> out{&entry.gradient->forward_program()};
  for (const Program* program : entry.gradient->backward_programs()) out.push_back(program);
  return out;
}

/// Counts arenas, each once.
class Arenas {
 public:
  bool add(const Program& program) {
    for (const Program* other : seen_) {
      if (program.shares_arena_with(*other)) return false;
    }
    seen_.push_back(&program);
    bytes_ += program.memory().arena;
    return true;
  }
  size_t bytes() const { return bytes_; }

 private:
  std::vector<const Program*> seen_;
  size_t bytes_ = 0;
};

std::string inputs_text(const CallKey& key) {
  std::string out = key.grad ? "grad mode" : "no grad";
  for (const auto& [meta, requires_grad] : key.inputs) {
    out += text(", ", meta.dtype, meta.shape, requires_grad ? " with gradient" : "");
  }
  return out;
}

std::string entry_text(const CallEntry& entry, Arenas& arenas) {
  std::string out = text("  ", inputs_text(entry.key), ": ");
  const char* what = entry.gradient ? "forward" : "program";
  for (const Program* program : programs_of(entry)) {
    out += text(what, " of ", program->num_calls(), " calls in ");
    out += arenas.add(*program) ? text(program->memory().arena, " bytes") : "shared memory";
    if (gpu_of(program->graph())) out += text(" as ", program->replay());
    out += ", ";
    what = "backward";
  }
  out.resize(out.size() - 2);
  return out + "\n";
}

}  // namespace

std::string CompiledModel::split_report() const {
  std::string names, rows;
  for (const Step& step : split_->steps) {
    if (const auto* part = dynamic_cast<const Part*>(step.callable.get())) {
      rows += part->report();
    } else {
      names += text(names.empty() ? "" : ", ", step.name);
    }
  }
  return text("SymbolicModel: parts between C++ code (", names, ")\n", rows);
}

std::string CompiledModel::report() const {
  if (!is_compiled()) return "SymbolicModel: not compiled\n";
  const TryLock lock(*busy_);
  check(static_cast<bool>(lock), ErrorKind::Graph, "SymbolicModel: another thread runs it");
  if (split_) return split_report();
  Arenas arenas;
  std::string rows;
  for (size_t i = entries_.size(); i-- > 0;) rows += entry_text(*entries_[i], arenas);
  for (const auto& entry : fallbacks_) {
    rows += text("  ", inputs_text(entry->key), ": layer by layer, since ", entry->reason, "\n");
  }
  if (const nn::Module* module = hooked()) {
    rows += text("  everything layer by layer, since ", module->name(), " has hooks\n");
  }
  return text("SymbolicModel: ", entries_.size(), " of at most ", options_.max_programs,
              " programs, arenas of ", arenas.bytes(), " bytes\n", rows);
}

}  // namespace reprise::detail
