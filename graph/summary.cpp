// SymbolicModel::summary: one row per value, columns as wide as what stands in them.

#include <algorithm>
#include <array>

#include "model.h"
#include "replay_plan.h"

namespace reprise {
namespace {

constexpr size_t kColumns = 5;
constexpr size_t kGap = 3;
using Row = std::array<std::string, kColumns>;

Row row_of(const detail::ReplayPlan& plan, size_t index) {
  const detail::Value& value = plan.values[index];
  const bool output =
      std::find(plan.outputs.begin(), plan.outputs.end(), index) != plan.outputs.end();
  std::string parents;
  for (size_t parent : value.parents) parents += text(parents.empty() ? "" : ",", parent + 1);
  const int64_t params = value.module == nullptr ? 0 : value.module->num_parameters();
  return {text(index + 1, output ? "*" : ""), value.name, value.type, text(params), parents};
}

std::string line_of(const Row& row, const std::array<size_t, kColumns>& widths) {
  std::string line;
  for (size_t c = 0; c < kColumns; ++c) {
    line += row[c];
    line += std::string(widths[c] + kGap - row[c].size(), ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string totals(const nn::Module& model) {
  int64_t all = 0, trainable = 0;
  for (const Tensor& p : model.parameters()) {
    all += p.numel();
    if (p.requires_grad()) trainable += p.numel();
  }
  return text("Total params: ", all, "\nTrainable params: ", trainable,
              "\nNon-trainable params: ", all - trainable, "\n");
}

}  // namespace

std::string SymbolicModel::summary() const {
  std::vector<Row> rows{{"", "Layer", "Output shape", "Params", "Parent"}};
  for (size_t i = 0; i < plan().values.size(); ++i) rows.push_back(row_of(plan(), i));
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t c = 0; c < kColumns; ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  size_t width = kGap * (kColumns - 1);
  for (size_t w : widths) width += w;
  const std::string rule = std::string(width, '_') + "\n",
                    double_rule = std::string(width, '=') + "\n";
  std::string out = rule + line_of(rows[0], widths) + double_rule;
  for (size_t i = 1; i < rows.size(); ++i) out += line_of(rows[i], widths);
  return out + double_rule + totals(*this) + rule;
}

}  // namespace reprise
