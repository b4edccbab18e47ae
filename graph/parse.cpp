#include <optional>
#include <unordered_map>

#include "op_text.h"
#include "read_value.h"
#include "text.h"
#include "type_text.h"

namespace reprise {
namespace detail {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : in_("parse", text) {}

  Graph read() {
    try {
      while (!returned_) read_line();
      while (!in_.at_end()) {
        if (!in_.accept_end_of_line()) in_.fail_expected("the end of the text");
      }
    } catch (Error& error) {
      if (error.kind() != ErrorKind::Format) error.prepend(text("parse: line ", in_.line()));
      throw;
    }
    return std::move(graph_);
  }

 private:
  void read_line() {
    if (in_.at_end()) in_.fail_expected("'return'");
    if (in_.accept_end_of_line()) return;
    if (in_.accept("%")) return read_definition();
    const std::string_view word = in_.word("a value, an op, 'update' or 'return'");
    if (word == "prologue" || word == "body") return read_part(word == "body");
    if (word == "update") return read_update();
    if (word == "return") return read_return();
    read_call({}, word);
  }

  void end_line(std::string_view* comment = nullptr) {
    if (!in_.accept_end_of_line(comment)) in_.fail_expected("the end of the line");
  }

  /// The % is behind us. A quoted name that needs its quotes keeps one, so that %"1" is not %1.
  std::string read_name() {
    const std::optional<std::string> quoted = in_.accept_quoted();
    if (!quoted) return std::string(in_.word("the name of a value"));
    return is_bare_name(*quoted) ? *quoted : '"' + *quoted;
  }

  ValueId read_use() {
    in_.expect("%");
    const std::string name = read_name();
    const auto at = values_.find(name);
    if (at == values_.end()) in_.fail_last(text("there is no value %", name, " above"));
    return at->second;
  }

  void define(const std::string& name, ValueId id) {
    if (!values_.emplace(name, id).second) {
      in_.fail_last(text("%", name, " is defined twice"));
    }
  }

  void read_definition() {
    std::vector<std::string> names{read_name()};
    while (in_.accept(",")) {
      in_.expect("%");
      names.push_back(read_name());
    }
    in_.expect("=");
    const std::string_view word = in_.word("an op, 'input' or 'capture'");
    if (word != "input" && word != "capture") return read_call(names, word);
    if (names.size() != 1) in_.fail_last(text("expected one name for the ", word));
    const ValueId id = read_root();
    define(names[0], id);
    if (word == "input")
      graph_.inputs.push_back(id);
    else
      graph_.captures.push_back({id, {}, names[0].substr(names[0].starts_with('"') ? 1 : 0)});
  }

  ValueId read_root() {
    const ValueId memory = in_.accept_word("of") ? read_use() : kNoValue;
    const int64_t offset = in_.accept_word("at") ? in_.integer(0, kMostElements) : 0;
    in_.expect(":");
    const Meta meta = read_type(in_);
    end_line();
    const ValueId id =
        memory == kNoValue ? graph_.add_root(meta) : graph_.add_view(memory, meta, offset);
    graph_.values.back().offset = offset;
    return id;
  }

  void read_call(const std::vector<std::string>& names, std::string_view op_name) {
    const OpReader read_op = op_reader(op_name, in_);
    ValueIds operands;
    std::vector<std::string> moments;  // by operand; empty for those that are not written
    read_list(in_, "(", ")", [&] {
      operands.push_back(read_use());
      const bool written = in_.accept("->");
      if (written) in_.expect("%");
      moments.push_back(written ? read_name() : "");
    });
    const OpRef op = read_op(in_);
    const ValueId into = in_.accept_word("into") ? read_use() : kNoValue;
    const Call& call = graph_.add_call(*op, std::move(operands), into);
    define_outputs(call, names, moments);
    std::string_view where;
    end_line(&where);
    graph_.code.back().where = where;
  }

  void define_outputs(const Call& call, const std::vector<std::string>& names,
                      const std::vector<std::string>& moments) {
    const size_t returned = returned_outputs(call);
    if (names.size() != returned)
      in_.fail_last(
          text("expected ", returned, " results of ", call.op->name(), ", got ", names.size()));
    for (size_t k = 0; k < returned; ++k) {
      in_.expect(k == 0 ? ":" : ",");
      const Meta declared = read_type(in_), &inferred = graph_.meta(call.out[k]);
      check_extent(inferred);
      if (declared != inferred) {
        in_.fail_last(text("expected ", type_text(inferred), ", which ", call.op->name(),
                           " gives, got ", type_text(declared)));
      }
      define(names[k], call.out[k]);
    }
    size_t moment = returned;
    for (size_t i = 0; i < call.in.size(); ++i) {
      const bool written = call.op->traits().writes_input(i);
      if (written == moments[i].empty()) {
        in_.fail_last(
            text(call.op->name(), written ? " writes" : " does not write", " operand ", i));
      }
      if (written) define(moments[i], call.out[moment++]);
    }
  }

  void read_part(bool body) {
    in_.expect(":");
    if (!body && !graph_.code.empty()) in_.fail_last("the prologue must come before all calls");
    if (body != in_prologue_) in_.fail_last(body ? "a body without a prologue" : "two prologues");
    in_prologue_ = !body;
    if (body) graph_.prologue = static_cast<int32_t>(graph_.code.size());
    end_line();
  }

  void read_update() {
    const ValueId root = read_use();
    in_.expect("=");
    graph_.updates.push_back({root, read_use()});
    end_line();
  }

  void read_return() {
    if (in_prologue_) in_.fail_last("expected 'body:' before the return");
    if (!in_.accept_end_of_line()) {
      do graph_.outputs.push_back(read_use());
      while (in_.accept(","));
      end_line();
    }
    returned_ = true;
  }

  TextReader in_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
  bool in_prologue_ = false, returned_ = false;
};

}  // namespace
}  // namespace detail

Graph parse(std::string_view text) { return detail::Reader(text).read(); }

}  // namespace reprise
