#include "verify.h"

#include <unordered_map>
#include <unordered_set>

#include "../core/model.h"
#include "../core/ops/create.h"
#include "../core/ops/elementwise.h"

namespace reprise {
namespace {

/// Other kernels write dense results only.
bool takes_any_layout(const OpBase& op) {
  return op.traits().elementwise != ElementwiseIndex::none || as<Copy>(op) != nullptr ||
         as<Full>(op) != nullptr;
}

class Verifier {
 public:
  explicit Verifier(const Graph& graph)
      : graph_(graph),
        defined_(graph.values.size(), false),
        moment_(graph.values.size(), 0),
        latest_(graph.values.size(), 0),
        external_(graph.values.size(), false) {}

  void run() {
    for (ValueId id : graph_.inputs) define_external(id, "input");
    for (const Capture& capture : graph_.captures) define_external(capture.value, "capture");
    check(graph_.prologue >= 0 && static_cast<size_t>(graph_.prologue) <= graph_.code.size(),
          ErrorKind::Graph, "verify: a prologue of ", graph_.prologue, " calls in ",
          graph_.code.size());
    for (ValueId id : graph_.inputs) early_[root(id)] = false;
    for (at_ = 0; at_ < graph_.code.size(); ++at_) visit(graph_.code[at_]);
    for (ValueId id : graph_.outputs) read(id, "an output");
    check_updates();
  }

 private:
  template <class... Parts>
  void expect(bool ok, const Parts&... parts) const {
    if (ok) [[likely]]
      return;
    const bool in_code = at_ < graph_.code.size();
    fail(ErrorKind::Graph, "verify: ", in_code ? text("call ", at_, ", ") : std::string(),
         in_code ? graph_.code[at_].op->text() : std::string("the graph"), ": ", parts...);
  }

  size_t index(ValueId id) const {
    expect(id >= 0 && static_cast<size_t>(id) < graph_.values.size(), "there is no value %", id);
    return static_cast<size_t>(id);
  }
  ValueId root(ValueId id) const { return graph_.values[index(id)].root; }

  void define(ValueId id) {
    expect(!defined_[index(id)], "%", id, " is defined twice");
    defined_[index(id)] = true;
  }

  /// Inputs are roots; captures may be several views of one memory.
  void define_external(ValueId id, std::string_view what) {
    define(id);
    const ValueId memory = root(id);
    expect(graph_.meta(id).device == graph_.meta(memory).device &&
               graph_.meta(id).device.kind != Device::Kind::meta,
           what, " %", id, " lies on ", graph_.meta(id).device);
    expect(memory == id || (defined_[index(memory)] && what == "capture"), what, " %", id,
           " does not begin a memory");
    for (int64_t stride : graph_.meta(id).strides) {
      expect(stride >= 0, what, " %", id, " has a stride of ", stride);
    }
    external_[index(memory)] = true;
  }

  void read(ValueId id, std::string_view reader) {
    expect(defined_[index(id)], reader, " reads %", id, ", which is not defined yet");
    expect(moment_[index(id)] == latest_[index(root(id))], reader, " reads %", id,
           ", whose memory was written again");
  }

  void visit(const Call& call) {
    expect(static_cast<bool>(call.op), "there is no op");
    const OpTraits& traits = call.op->traits();
    Metas metas;
    const bool after = traits.name == After::name;
    for (size_t i = 0; i < call.in.size(); ++i) {
      const ValueId id = call.in[i];
      if (after && i == 0) {
        expect(defined_[index(id)], "it reads %", id, ", which is not defined yet");
      } else {
        read(id, "it");
      }
      metas.push_back(graph_.meta(id));
    }
    if (call.into != kNoValue) {
      check_target(call.into);
      expect(graph_.meta(call.into).is_contiguous() || takes_any_layout(*call.op),
             "it writes into %", call.into, ", which is not dense");
    }
    for (size_t i = 0; i < call.in.size(); ++i) {
      if (traits.writes_input(i)) check_target(call.in[i]);
    }
    const Metas returned = call.op->infer(metas);
    expect(returned_outputs(call) == returned.size(), "expected ", returned.size(),
           " outputs besides written inputs, got ", returned_outputs(call));
    if (after) check_after(call);
    check_devices(call, metas, returned);
    for (size_t k = 0; k < call.out.size(); ++k) {
      check_output(call, k, k < returned.size() ? &returned[k] : nullptr);
    }
    check_prologue(call);
  }

  /// What is written in place exists, and each of its elements has a place of its own.
  void check_target(ValueId id) {
    read(id, "it");
    const Meta& meta = graph_.meta(id);
    for (size_t d = 0; d < meta.shape.size(); ++d) {
      expect(meta.strides[d] != 0 || meta.shape[d] <= 1, "it writes into %", id, ", expanded to ",
             meta.shape);
    }
  }

  /// The first operand is of an older moment; what comes out is of the moment of the write.
  void check_after(const Call& call) const {
    expect(call.in.size() == 2 && root(call.in[0]) == root(call.in[1]),
           "expected two values of one memory");
  }

  /// A kernel reads and writes the memory of one device; only copies between devices cross.
  void check_devices(const Call& call, const Metas& in, const Metas& returned) const {
    for (const Meta& meta : in) {
      expect(meta.device == in[0].device, "its operands lie on ", in[0].device, " and on ",
             meta.device);
    }
    const bool follows = !in.empty() && !call.op->traits().crosses;
    for (size_t k = 0; k < returned.size(); ++k) {
      const Device expected = follows ? in[0].device : returned[k].device;
      const Device device = graph_.meta(call.out[k]).device;
      expect(device == expected, "output %", call.out[k], " should lie on ", expected, ", lies on ",
             device);
    }
  }

  void check_output(const Call& call, size_t k, const Meta* inferred) {
    const ValueId id = call.out[k];
    define(id);
    const Value& out = graph_.value(id);
    const ValueId source = memory_of_output(call, k);
    if (source == kNoValue) {
      expect(out.root == id && out.offset == 0, "output %", id, " should be fresh memory");
      expect(out.meta.shape == inferred->shape && out.meta.dtype == inferred->dtype &&
                 out.meta.strides == inferred->strides,
             "output %", id, " should be ", inferred->dtype, inferred->shape, ", is ",
             out.meta.dtype, out.meta.shape);
      return;
    }
    const Value& memory = graph_.value(source);
    expect(out.root == memory.root, "output %", id, " should live in the memory of %", source);
    if (call.op->traits().alias && call.into == kNoValue) {
      expect(out.meta.shape == inferred->shape && out.meta.strides == inferred->strides &&
                 out.meta.dtype == inferred->dtype &&
                 out.offset == memory.offset + call.op->offset(memory.meta),
             "output %", id, " is not the view that the op makes");
      moment_[index(id)] = latest_[index(out.root)];
      return;
    }
    expect(out.meta == memory.meta && out.offset == memory.offset, "output %", id,
           " should be the next moment of %", source);
    moment_[index(id)] = ++latest_[index(out.root)];
    if (external_[index(out.root)]) written_.insert(out.root);
    const auto early = early_.find(out.root);
    expect(early == early_.end() || !early->second || at_ < static_cast<size_t>(graph_.prologue),
           "it writes %", source, ", which the prologue made once for every run");
  }

  void check_prologue(const Call& call) {
    const bool in_prologue = at_ < static_cast<size_t>(graph_.prologue);
    for (ValueId id : call.out) early_.try_emplace(root(id), in_prologue);
    if (!in_prologue) return;
    expect(!call.op->traits().effects, "it has effects, and stands in the prologue");
    for (ValueId id : call.in) {
      const auto known = early_.find(root(id));
      expect(known == early_.end() || known->second, "the prologue reads %", id,
             ", which depends on an input");
    }
  }

  void check_updates() {
    std::unordered_set<ValueId> updated;
    for (const Update& update : graph_.updates) {
      read(update.last, "an update");
      expect(root(update.last) == update.root && external_[index(update.root)], "the update of %",
             update.root, " is a value of another memory");
      expect(updated.insert(update.root).second, "%", update.root, " is updated twice");
    }
    for (ValueId id : written_) {
      expect(updated.contains(id), "%", id, " is written, and has no update");
    }
    for (size_t i = 0; i < static_cast<size_t>(graph_.prologue); ++i) {
      for (ValueId id : graph_.code[i].in) {
        expect(!written_.contains(root(id)), "the prologue reads %", id, ", which is written");
      }
    }
  }

  const Graph& graph_;
  size_t at_ = SIZE_MAX;
  std::vector<bool> defined_;
  std::vector<int32_t> moment_, latest_;  // of each value; of the memory of each root
  std::vector<bool> external_;
  std::unordered_map<ValueId, bool> early_;  // roots known before the main part
  std::unordered_set<ValueId> written_;
};

}  // namespace

void verify(const Graph& graph) { Verifier(graph).run(); }

}  // namespace reprise
