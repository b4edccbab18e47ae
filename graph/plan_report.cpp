#include "plan_report.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "type_text.h"

namespace reprise {
namespace detail {

std::string bytes_text(int64_t bytes) {
  constexpr std::array<std::string_view, 5> units{" B", " KiB", " MiB", " GiB", " TiB"};
  auto scaled = static_cast<double>(bytes);
  size_t unit = 0;
  for (; scaled >= 1024 && unit + 1 < units.size(); ++unit) scaled /= 1024;
  return text(std::round(scaled * 10) / 10, units[unit]);
}

std::string ratio_text(int64_t a, int64_t b) {
  const double ratio = a == b ? 1 : static_cast<double>(a) / static_cast<double>(b);
  const auto hundredths = static_cast<int64_t>(std::round(ratio * 100));
  return text(hundredths / 100, hundredths % 100 < 10 ? ".0" : ".", hundredths % 100);
}

std::vector<Bar> bars_of(const Graph& graph, const Plan& plan) {
  std::vector<Bar> bars;
  std::vector<int32_t> end(plan.slots.size());  // of the values that are yet to come
  for (size_t s = 0; s < end.size(); ++s) end[s] = plan.slots[s].last + 1;
  const auto add = [&](int32_t call, ValueId value, int32_t slot, int64_t bytes) {
    int32_t& until = end[static_cast<size_t>(slot)];
    bars.push_back({call, value, plan.slot(slot).offset, bytes, call, until});
    until = call;
  };
  for (int32_t i = plan.calls(); i-- > 0;) {
    const Call& call = graph.code[static_cast<size_t>(i)];
    const int32_t scratch = plan.workspace[static_cast<size_t>(i)];
    if (scratch >= 0) add(i, kNoValue, scratch, plan.slot(scratch).bytes);
    for (ValueId id : call.out) {
      if (plan.of(id).home == Home::arena) add(i, id, plan.of(id).index, plan.of(id).bytes);
    }
  }
  std::reverse(bars.begin(), bars.end());
  return bars;
}

}  // namespace detail

namespace {

using detail::Bar;
using detail::bytes_text;
using detail::ratio_text;

constexpr size_t kRows = 12, kColumns = 6;
using Row = std::array<std::string, kColumns>;

std::string figures(const Graph& graph, const Plan& plan, const std::vector<Bar>& bars) {
  const auto workspaces = std::ranges::count(bars, kNoValue, &Bar::value);
  const auto values = static_cast<int64_t>(bars.size()) - workspaces;
  const auto taken_over = static_cast<int64_t>(bars.size() - plan.slots.size());
  std::string out;
  out += text("Arena          ", bytes_text(plan.arena_bytes), "\n");
  out += text("Lower bound    ", bytes_text(plan.lower_bound),
              ", arena / lower bound = ", ratio_text(plan.arena_bytes, plan.lower_bound), "\n");
  out += text("Without reuse  ", bytes_text(plan.naive_bytes), "\n");
  out += text("Values         ", values, ", over a dying input: ", taken_over, "\n");
  out += text("Workspaces     ", workspaces, "\n");
  out += text("Outputs        ", graph.outputs.size(), ", copied: ", plan.copied.size(), "\n");
  return out;
}

Row row_of(const Graph& graph, const Bar& bar) {
  const Call& call = graph.code[static_cast<size_t>(bar.call)];
  const bool workspace = bar.value == kNoValue;
  return {workspace ? "workspace" : text('%', bar.value),
          bytes_text(bar.bytes),
          text(bar.first, " - ", bar.end - 1),
          std::string(call.op->name()),
          call.where,
          workspace ? "" : detail::type_text(graph.meta(bar.value))};
}

std::string table(const std::vector<Row>& rows) {
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t c = 0; c < kColumns; ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (size_t c = 0; c < kColumns; ++c) {
      if (widths[c] == 0) continue;
      line += row[c] + std::string(widths[c] + 3 - row[c].size(), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace

std::string memory_report(const Graph& graph, const Plan& plan) {
  std::vector<Bar> bars = detail::bars_of(graph, plan);
  std::string out = figures(graph, plan, bars);
  if (bars.empty()) return out;
  std::ranges::stable_sort(bars, std::ranges::greater(), &Bar::bytes);
  std::vector<Row> rows{{"Largest", "Bytes", "Calls", "Op", "Layer", "Type"}};
  for (const Bar& bar : std::span(bars).first(std::min(bars.size(), kRows))) {
    rows.push_back(row_of(graph, bar));
  }
  const bool layers =
      std::any_of(rows.begin() + 1, rows.end(), [](const Row& row) { return !row[4].empty(); });
  if (!layers) rows[0][4].clear();
  return out + "\n" + table(rows);
}

}  // namespace reprise
