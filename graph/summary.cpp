// SymbolicModel::summary: one row per value, columns as wide as what stands in them.

#include "summary.h"

#include <algorithm>
#include <ostream>

#include "model.h"
#include "plan_report.h"
#include "summary_tree.h"
#include "text_table.h"

namespace reprise {
namespace {

using detail::bytes_text;
using detail::KeptBytes;
using detail::SummaryTree;
using detail::Value;
using Cells = std::vector<std::string>;

struct ParameterCount {
  int64_t all = 0, trainable = 0, bytes = 0;
};

ParameterCount count(const nn::Module* module) {
  ParameterCount out;
  if (module == nullptr) return out;
  for (const Tensor& p : module->parameters()) {
    out.all += p.numel();
    out.bytes += static_cast<int64_t>(p.meta().nbytes());
    if (p.requires_grad()) out.trainable += p.numel();
  }
  return out;
}

std::string trainable_text(const ParameterCount& params) {
  if (params.all == 0) return "";
  if (params.trainable == 0) return "no";
  return params.trainable == params.all ? "yes" : "partly";
}

std::string kept_text(const KeptBytes& kept) {
  if (kept.exact) return bytes_text(kept.bytes);
  return kept.bytes == 0 ? "?" : "at least " + bytes_text(kept.bytes);
}

class Rows {
 public:
  explicit Rows(const SummaryOptions& options) : options_(options) {
    Cells header{"", "Layer", "Output shape"};
    if (options.dtype) header.push_back("DType");
    header.push_back("Params");
    if (options.trainable) header.push_back("Trainable");
    if (options.memory) {
      for (const char* column : {"Param memory", "Activations", "For backward"}) {
        header.push_back(column);
      }
    }
    header.push_back("Parent");
    rows_.push_back(std::move(header));
  }

  /// The rows of a model and below each those of what is nested in it.
  void add(const SummaryTree& tree) {
    std::vector<std::string> numbers;
    for (size_t i = 0; i < tree.plan->values.size(); ++i) numbers.push_back(text(i + 1));
    for (size_t i = 0; i < tree.plan->input_count; ++i) add_row(tree, i, numbers, "");
    add_steps(tree, numbers, "");
  }

  detail::TextTable table(std::string totals) {
    std::vector<bool> is_text;
    for (const std::string& column : rows_.front()) {
      is_text.push_back(column == "Layer" || column == "Output shape" || column == "Parent");
    }
    return {std::move(rows_), std::move(is_text), std::move(totals)};
  }
  int64_t activations() const { return activations_; }

 private:
  void add_steps(const SummaryTree& tree, const std::vector<std::string>& numbers,
                 const std::string& indent) {
    std::vector<const SummaryTree*> nested(numbers.size());
    std::vector<const detail::Step*> step_of(numbers.size());
    for (size_t i = 0; i < tree.nested.size(); ++i) {
      const size_t value = detail::first_output(tree.plan->steps[i]);
      nested[value] = &tree.nested[i];
      step_of[value] = &tree.plan->steps[i];
    }
    for (size_t i = tree.plan->input_count; i < numbers.size(); ++i) {
      add_row(tree, i, numbers, indent);
      if (nested[i] == nullptr || !nested[i]->plan) continue;
      add_steps(*nested[i], nested_numbers(*nested[i]->plan, *step_of[i], numbers, numbers[i]),
                indent + "  ");
    }
  }

  /// Inputs are the values outside, others 4.1, 4.2, ...
  static std::vector<std::string> nested_numbers(const detail::ReplayPlan& plan,
                                                 const detail::Step& step,
                                                 const std::vector<std::string>& outside,
                                                 const std::string& number) {
    std::vector<std::string> numbers;
    for (const detail::Source& source : step.arguments) {
      const bool constant = source.value == detail::Source::kConstant;
      numbers.push_back(constant ? "constant" : outside[source.value]);
    }
    for (size_t i = 1; numbers.size() < plan.values.size(); ++i) {
      numbers.push_back(text(number, ".", i));
    }
    return numbers;
  }

  void add_row(const SummaryTree& tree, size_t index, const std::vector<std::string>& numbers,
               const std::string& indent) {
    const Value& value = tree.plan->values[index];
    const bool output =
        indent.empty() && std::ranges::find(tree.plan->outputs, index) != tree.plan->outputs.end();
    const ParameterCount params = count(value.module);
    Cells row{text(indent, numbers[index], output ? "*" : ""), indent + value.name, value.type};
    if (options_.dtype) row.push_back(value.boxed == nullptr ? text(value.meta.dtype) : "");
    row.push_back(text(params.all));
    if (options_.trainable) row.push_back(trainable_text(params));
    if (options_.memory) {
      const int64_t activations = bytes_of(value);
      if (indent.empty()) activations_ += activations;
      row.push_back(bytes_text(params.bytes));
      row.push_back(bytes_text(activations));
      row.push_back(kept_text(tree.kept[index]));
    }
    std::string parents;
    for (size_t parent : value.parents) parents += (parents.empty() ? "" : ",") + numbers[parent];
    row.push_back(parents);
    rows_.push_back(std::move(row));
  }

  int64_t bytes_of(const Value& value) const {
    if (value.boxed != nullptr) return 0;
    return static_cast<int64_t>(detail::with_batch(value.meta, options_.batch_size).nbytes());
  }

  const SummaryOptions& options_;
  std::vector<Cells> rows_;
  int64_t activations_ = 0;
};

std::string parameter_totals(const ParameterCount& params) {
  return text("Total params: ", params.all, "\nTrainable params: ", params.trainable,
              "\nNon-trainable params: ", params.all - params.trainable, "\n");
}

std::string memory_totals(const ParameterCount& params, int64_t activations,
                          const SummaryTree& tree) {
  KeptBytes kept;
  for (const KeptBytes& row : tree.kept) kept += row;
  return text("Parameter memory: ", bytes_text(params.bytes),
              "\nActivations: ", bytes_text(activations), "\nKept for backward: ", kept_text(kept),
              "\n");
}

}  // namespace

std::string SymbolicModel::summary(const SummaryOptions& options) const {
  check(options.width >= 0, ErrorKind::Value, "summary: expected a width of 0 or more, got ",
        options.width);
  check(options.batch_size > 0, ErrorKind::Value, "summary: expected a positive batch size, got ",
        options.batch_size);
  const auto handle = std::make_shared<SymbolicModel>(*this);
  SummaryTree tree = detail::make_summary_tree({handle, &handle->plan()}, options.expand_nested);
  if (options.memory) detail::measure_kept(tree, options.batch_size);
  Rows rows(options);
  rows.add(tree);
  const ParameterCount params = count(this);
  std::string totals = parameter_totals(params);
  if (options.memory) totals += memory_totals(params, rows.activations(), tree);
  const std::string out = rows.table(totals).text(static_cast<size_t>(options.width));
  if (options.stream != nullptr) *options.stream << out;
  return out;
}

}  // namespace reprise
