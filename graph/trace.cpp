#include "trace.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "../core/dispatch.h"

namespace reprise {
namespace {

/// What is known of one storage: its views at the moment after its last write.
struct Memory {
  struct Seen {
    int64_t offset;
    Meta meta;
    ValueId value;
    int32_t moment;
  };

  Ref<Storage> storage;  // kept, so that its address stays its own
  ValueId root;
  bool captured;
  uint32_t version;  // before the trace
  int32_t moment = 0;
  ValueId last_write = kNoValue;
  SmallVector<Seen, 1> seen;

  Seen* find(const TensorImpl& t) {
    for (size_t i = seen.size(); i-- > 0;) {
      if (seen[i].offset == t.offset && seen[i].meta == t.meta) return &seen[i];
    }
    return nullptr;
  }
};

class Tracer final : public Interpreter {
 public:
  explicit Tracer(const TraceOptions& options) {
    for (const auto& [name, tensor] : options.names) {
      names_.emplace(tensor.impl().storage.get(), name);
    }
  }
  Tracer(const Tracer&) = delete;
  ~Tracer() override { restore(); }

  Tensor add_input(const Example& example) {
    const ValueId id = graph_.add_root(example.meta);
    graph_.inputs.push_back(id);
    Tensor x = traced_tensor(id);
    if (example.requires_grad) x.requires_grad_();
    return x;
  }

  Tensors apply(const OpBase& op, std::span<const Tensor> in, const Tensor* into) override {
    if (only_infers(op, in)) return run_eager(op, in, into);
    ValueIds operands;
    for (const Tensor& t : in) operands.push_back(value_of(t));
    const ValueId target = into == nullptr ? kNoValue : value_of(*into);
    const Call call = graph_.add_call(op, std::move(operands), target, scope());
    const size_t returned = returned_outputs(call);
    Tensors out;
    for (size_t k = 0; k < returned; ++k) out.push_back(output(call, k, in, into));
    size_t k = returned;
    for (size_t i = 0; i < in.size(); ++i) {
      if (op.traits().writes_input(i)) wrote(in[i], call.out[k++]);
    }
    return out;
  }

  void enter(const std::string& name) override { scopes_.push_back(name); }
  void leave() override { scopes_.pop_back(); }

  std::string describe(const Tensor& x) const override {
    const auto at = memories_.find(x.impl().storage.get());
    std::string out = text("the ", x.dtype(), x.shape());
    if (at == memories_.end()) return out + " of another trace";
    const Memory& memory = at->second;
    const ValueId id = memory.last_write != kNoValue ? memory.last_write : memory.root;
    for (const Call& call : graph_.code) {
      for (ValueId made : call.out) {
        if (made != id) continue;
        return out + text(" that ", call.op->name(), " made", call.where.empty() ? "" : " in ",
                          call.where);
      }
    }
    return out + " that is an input of the trace";
  }

  Graph finish(const Tensors& outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      check(outputs[i].defined(), ErrorKind::Graph, "trace: output ", i, " is undefined");
      check(outputs[i].has_data() && memories_.contains(outputs[i].impl().storage.get()),
            ErrorKind::Graph, "trace: output ", i, ", ", outputs[i].dtype(), outputs[i].shape(),
            ", does not come from the graph: no traced op made or read it");
      graph_.outputs.push_back(value_of(outputs[i]));
    }
    for (const auto& [storage, memory] : memories_) {
      if (memory.last_write != kNoValue && is_external(memory)) {
        graph_.updates.push_back({memory.root, memory.last_write});
      }
    }
    std::ranges::sort(graph_.updates, {}, &Update::root);
    return std::move(graph_);
  }

 private:
  /// Ops on tensors without data infer shapes, inside a trace as everywhere.
  static bool only_infers(const OpBase& op, std::span<const Tensor> in) {
    if (in.empty()) return op.infer({}).front().device.kind == Device::Kind::meta;
    return std::ranges::any_of(in, [](const Tensor& t) { return !t.has_data(); });
  }

  std::string scope() const {
    std::string out;
    for (const std::string& name : scopes_) out += out.empty() ? name : "." + name;
    return out;
  }

  bool is_external(const Memory& memory) const {
    return memory.captured || std::ranges::find(graph_.inputs, memory.root) != graph_.inputs.end();
  }

  /// A tensor on a root of the graph.
  Tensor traced_tensor(ValueId root) {
    const Meta& meta = graph_.meta(root);
    auto storage = Storage::traced(meta.nbytes(), meta.device);
    Tensor out(make_ref<TensorImpl>(meta, storage));
    Memory& memory = memories_[storage.get()];
    memory = {storage, root, false, 0, 0, kNoValue, {}};
    memory.seen.push_back({0, meta, root, 0});
    return out;
  }

  ValueId value_of(const Tensor& t) {
    const TensorImpl& impl = t.impl();
    const auto [at, is_new] = memories_.try_emplace(impl.storage.get());
    Memory& memory = at->second;
    if (is_new) capture(memory, t);
    if (memory.captured && t.is_leaf() && t.requires_grad()) leaves_.emplace_back(t, t.grad());
    Memory::Seen* seen = memory.find(impl);
    if (seen == nullptr) seen = &capture_view(memory, t);
    if (seen->moment != memory.moment) {
      const Model<After> after({});
      seen->value = graph_.add_call(after, {seen->value, memory.last_write}).out[0];
      seen->moment = memory.moment;
    }
    return seen->value;
  }

  void capture(Memory& memory, const Tensor& t) {
    if (t.is_traced()) {
      memories_.erase(t.impl().storage.get());
      fail(ErrorKind::Graph, "trace: a traced ", t.dtype(), t.shape(), " belongs to another trace");
    }
    memory = {t.impl().storage, kNoValue, true, t.impl().storage->version(), 0, kNoValue, {}};
  }

  Memory::Seen& capture_view(Memory& memory, const Tensor& t) {
    const TensorImpl& impl = t.impl();
    ensure(memory.captured, "trace: a view that no op made");
    const ValueId id = memory.root == kNoValue ? graph_.add_root(impl.meta)
                                               : graph_.add_view(memory.root, impl.meta, 0);
    graph_.values.back().offset = impl.offset;
    if (memory.root == kNoValue) memory.root = id;
    graph_.captures.push_back(
        {id, Tensor(make_ref<TensorImpl>(impl.meta, impl.storage, impl.offset)), name_of(memory)});
    return memory.seen.emplace_back(Memory::Seen{impl.offset, impl.meta, id, 0});
  }

  /// No two captures share a name, whatever the user calls them.
  std::string name_of(const Memory& memory) {
    const auto named = names_.find(memory.storage.get());
    std::string name = named == names_.end() ? text("c", unnamed_++) : named->second;
    for (int64_t view = 1; !taken_.insert(name).second; ++view) {
      name = named == names_.end() ? text("c", unnamed_++) : text(named->second, ".view", view);
    }
    return name;
  }

  Tensor output(const Call& call, size_t k, std::span<const Tensor> in, const Tensor* into) {
    if (into != nullptr) {
      wrote(*into, call.out[k]);
      return *into;
    }
    if (!call.op->traits().alias) return traced_tensor(call.out[k]);
    const TensorImpl& source = in[0].impl();
    const Meta& meta = graph_.meta(call.out[k]);
    const int64_t offset = source.offset + call.op->offset(source.meta);
    Tensor view(make_ref<TensorImpl>(meta, source.storage, offset));
    view.impl().is_view = true;
    Memory& memory = memories_.at(source.storage.get());
    if (Memory::Seen* seen = memory.find(view.impl())) {
      seen->value = call.out[k];
      seen->moment = memory.moment;
    } else {
      memory.seen.push_back({offset, meta, call.out[k], memory.moment});
    }
    return view;
  }

  /// The memory of `t` was written; `id` is what `t` is now.
  void wrote(const Tensor& t, ValueId id) {
    Storage& storage = *t.impl().storage;
    Memory& memory = memories_.at(&storage);
    storage.bump_version();
    storage.set_traced(true);
    memory.last_write = id;
    Memory::Seen& seen = *memory.find(t.impl());
    seen.value = id;
    seen.moment = ++memory.moment;
  }

  /// Leaves real tensors as they were before; those that were not written may be in use elsewhere.
  void restore() {
    for (auto& [storage, memory] : memories_) {
      if (!memory.captured || memory.last_write == kNoValue) continue;
      memory.storage->set_traced(false);
      memory.storage->set_version(memory.version);
    }
    for (const auto& [leaf, grad] : leaves_) {
      if (!leaf.grad().defined() || !leaf.grad().is_traced()) continue;
      leaf.set_grad(grad.defined() && grad.is_traced() ? Tensor() : grad);
    }
  }

  Graph graph_;
  std::unordered_map<const Storage*, Memory> memories_;
  std::unordered_map<const Storage*, std::string> names_;
  std::unordered_set<std::string> taken_;
  int64_t unnamed_ = 0;
  std::vector<std::string> scopes_;
  std::vector<std::pair<Tensor, Tensor>> leaves_;  // with the gradients they had when first met
};

}  // namespace

Example::Example(const Tensor& x) : meta(x.meta()), requires_grad(x.requires_grad()) {
  check(!x.is_symbolic(), ErrorKind::Graph,
        "trace: expected a real tensor or a meta as an example, got a symbolic tensor");
  if (meta.device.kind == Device::Kind::meta) meta.device = Device::cpu();
  for (size_t d = 0; d < meta.shape.size(); ++d) {  // elements need places of their own
    if (meta.strides[d] == 0 && meta.shape[d] > 1) meta.strides = contiguous_strides(meta.shape);
  }
}

namespace detail {

Graph trace(const Traceable& f, std::span<const Example> examples, const TraceOptions& options) {
  check(interpreter() == nullptr, ErrorKind::Graph, "trace: cannot trace inside another trace");
  Tracer tracer(options);
  Tensors inputs;
  for (const Example& example : examples) inputs.push_back(tracer.add_input(example));
  const InterpreterGuard guard(&tracer);
  return tracer.finish(f(inputs));
}

}  // namespace detail
}  // namespace reprise
