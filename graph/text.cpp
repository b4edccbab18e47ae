#include "text.h"

#include <algorithm>

#include "type_text.h"

namespace reprise {
namespace {

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph), names_(graph.values.size()) {
    for (const Capture& capture : graph.captures) {
      const bool bare = detail::is_bare_name(capture.name);
      names_[index(capture.value)] = bare ? capture.name : detail::quote(capture.name);
    }
  }

  std::string write() {
    for (ValueId id : graph_.inputs) write_root(id, "input");
    for (const Capture& capture : graph_.captures) write_root(capture.value, "capture");
    const std::span<const Call> code = graph_.code;
    const auto prologue = static_cast<size_t>(graph_.prologue);
    if (prologue > 0) put("prologue:\n");
    for (const Call& call : code.first(prologue)) write(call);
    if (prologue > 0) put("body:\n");
    for (const Call& call : code.subspan(prologue)) write(call);
    for (const Update& u : graph_.updates) put("update ", name(u.root), " = ", name(u.last), "\n");
    put("return");
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      put(i == 0 ? " " : ", ", name(graph_.outputs[i]));
    }
    put("\n");
    return std::move(out_);
  }

 private:
  static size_t index(ValueId id) { return static_cast<size_t>(id); }

  template <class... Parts>
  void put(const Parts&... parts) {
    (append_part(out_, parts), ...);
  }

  std::string name(ValueId id) const {
    const bool named = index(id) < names_.size() && !names_[index(id)].empty();
    return named ? "%" + names_[index(id)] : text("%", id);
  }

  void write_root(ValueId id, std::string_view kind) {
    const Value& value = graph_.value(id);
    put(name(id), " = ", kind);
    if (value.root != id) put(" of ", name(value.root));
    if (value.offset != 0) put(" at ", value.offset);
    put(" : ", detail::type_text(value.meta), "\n");
  }

  void write(const Call& call) {
    const size_t returned = returned_outputs(call);
    for (size_t k = 0; k < returned; ++k) put(k == 0 ? "" : ", ", name(call.out[k]));
    put(returned == 0 ? "" : " = ", call.op->name(), "(");
    size_t moment = returned;
    for (size_t i = 0; i < call.in.size(); ++i) {
      put(i == 0 ? "" : ", ", name(call.in[i]));
      if (call.op->traits().writes_input(i)) put(" -> ", name(call.out[moment++]));
    }
    put(")", call.op->text().substr(call.op->name().size()));
    if (call.into != kNoValue) put(" into ", name(call.into));
    for (size_t k = 0; k < returned; ++k) {
      put(k == 0 ? " : " : ", ", detail::type_text(graph_.meta(call.out[k])));
    }
    if (!call.where.empty()) put("  # ", one_line(call.where));
    put("\n");
  }

  static std::string one_line(std::string where) {
    std::ranges::replace(where, '\n', ' ');
    return where;
  }

  const Graph& graph_;
  std::vector<std::string> names_;  // of captures
  std::string out_;
};

}  // namespace

std::string to_string(const Graph& graph) { return Writer(graph).write(); }

}  // namespace reprise
