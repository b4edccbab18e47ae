#include <algorithm>
#include <cmath>

#include "op_family.h"
#include "plan_layout.h"
#include "plan_report.h"
#include "type_text.h"

namespace reprise {
namespace {

using detail::Bar;
using detail::bytes_text;

constexpr double kWidth = 1200, kHeight = 680;
constexpr double kLeft = 92, kRight = 1176, kTop = 96, kBottom = 586;  // of the plot
constexpr double kCharacter = 6.1, kLine = 13;                         // of a label in a bar
constexpr std::string_view kWorkspace = "#c3c7cc", kInk = "#1f2430", kQuiet = "#6b7280";

constexpr std::string_view kStyle = R"(<style>
  text { font-family: "Inter", "Segoe UI", "Helvetica Neue", Arial, sans-serif; font-size: 12px; }
  .title { font-size: 18px; font-weight: 600; }
  .grid { stroke: #e6e8ec; stroke-width: 1; }
  .label { font-size: 11px; fill: #1f2430; pointer-events: none; }
  .bar:hover { stroke: #1f2430; stroke-width: 1.5; }
</style>
)";

std::string number(double x) { return text(std::round(x * 100) / 100); }

std::string escaped(std::string_view raw) {
  std::string out;
  for (const char c : raw) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < ' ' && c != '\n' ? ' ' : c;
    }
  }
  return out;
}

/// The smallest of 1, 2, 5, 10, 20, ... that cuts `whole` into at most `parts`.
int64_t decimal_step(int64_t whole, int64_t parts) {
  int64_t step = 1;
  for (int k = 0; step * parts < whole; ++k) step = k % 3 == 1 ? step / 2 * 5 : step * 2;
  return step;
}

/// The same of 1, 2, 4, 8, ...
int64_t binary_step(int64_t whole, int64_t parts) {
  int64_t step = 1;
  while (step * parts < whole) step *= 2;
  return step;
}

class Picture {
 public:
  Picture(const Graph& graph, const Plan& plan)
      : graph_(graph),
        plan_(plan),
        times_(plan.calls() + 1),
        bytes_(std::max(plan.arena_bytes, detail::footprint(1, 0))) {}

  std::string draw() {
    out_ = text(R"(<svg xmlns="http://www.w3.org/2000/svg" width=")", kWidth, R"(" height=")",
                kHeight, R"(" viewBox="0 0 )", kWidth, " ", kHeight, "\">\n", kStyle,
                R"(<rect width="100%" height="100%" fill="#ffffff"/>)", "\n");
    draw_heading();
    draw_byte_axis();
    draw_call_axis();
    const std::vector<Bar> bars = detail::bars_of(graph_, plan_);
    for (const Bar& bar : bars) draw_bar(bar);
    draw_bytes_in_use();
    draw_prologue();
    draw_legend(bars);
    return std::move(out_) + "</svg>\n";
  }

 private:
  double x(double time) const { return kLeft + (kRight - kLeft) * time / times_; }
  double y(int64_t offset) const {
    return kBottom - (kBottom - kTop) * static_cast<double>(offset) / static_cast<double>(bytes_);
  }

  void write(double at_x, double at_y, std::string_view attributes, std::string_view words) {
    out_ += text("<text x=\"", number(at_x), "\" y=\"", number(at_y), "\" ", attributes, ">",
                 escaped(words), "</text>\n");
  }
  void line(double x1, double y1, double x2, double y2, std::string_view attributes) {
    out_ += text("<line x1=\"", number(x1), "\" y1=\"", number(y1), "\" x2=\"", number(x2),
                 "\" y2=\"", number(y2), "\" ", attributes, "/>\n");
  }

  void draw_heading() {
    write(kLeft, 34, text("class=\"title\" fill=\"", kInk, "\""), "Memory of the arena over time");
    write(kLeft, 56, text("fill=\"", kQuiet, "\""),
          text("arena ", bytes_text(plan_.arena_bytes), "  ·  lower bound ",
               bytes_text(plan_.lower_bound), " (",
               detail::ratio_text(plan_.arena_bytes, plan_.lower_bound), " ×)  ·  without reuse ",
               bytes_text(plan_.naive_bytes), "  ·  ", plan_.calls(), " calls"));
  }

  void draw_byte_axis() {
    const int64_t step = binary_step(bytes_, 8);
    for (int64_t b = 0; b <= bytes_; b += step) {
      line(kLeft, y(b), kRight, y(b), "class=\"grid\"");
      write(kLeft - 10, y(b) + 4, text("text-anchor=\"end\" fill=\"", kQuiet, "\""), bytes_text(b));
    }
  }

  void draw_call_axis() {
    const int64_t step = decimal_step(times_, 12);
    for (int64_t i = 0; i < times_; i += step) {
      const double middle = x(static_cast<double>(i) + 0.5);
      line(middle, kBottom, middle, kBottom + 5, "stroke=\"#9aa1ab\"");
      write(middle, kBottom + 20, text("text-anchor=\"middle\" fill=\"", kQuiet, "\""), text(i));
    }
    line(kLeft, kBottom, kRight, kBottom, "stroke=\"#9aa1ab\"");
    write((kLeft + kRight) / 2, kBottom + 38, text("text-anchor=\"middle\" fill=\"", kQuiet, "\""),
          "call");
  }

  void draw_bar(const Bar& bar) {
    const Call& call = graph_.code[static_cast<size_t>(bar.call)];
    const bool workspace = bar.value == kNoValue;
    const double left = x(bar.first), top = y(bar.offset + bar.bytes);
    const double width = x(std::min(bar.end, times_)) - left, height = y(bar.offset) - top;
    const double inset = std::min(0.75, 0.12 * std::min(width, height));
    const std::string_view color = workspace ? kWorkspace : detail::family_of(*call.op).color;
    out_ +=
        text("<rect class=\"bar\" x=\"", number(left + inset), "\" y=\"", number(top + inset),
             "\" width=\"", number(std::max(width - 2 * inset, 0.6)), "\" height=\"",
             number(std::max(height - 2 * inset, 0.6)), "\" rx=\"", inset == 0.75 ? 2 : 0,
             "\" fill=\"", color, "\"><title>", escaped(tooltip(bar, call)), "</title></rect>\n");
    draw_label(bar, call, left + width / 2, top + height / 2, width, height);
  }

  std::string tooltip(const Bar& bar, const Call& call) const {
    const std::string what =
        bar.value == kNoValue
            ? "workspace of "
            : text('%', bar.value, ' ', detail::type_text(graph_.meta(bar.value)), "\n");
    std::string life = text("calls ", bar.first, " to ", bar.end - 1);
    if (bar.end > times_) life = text("from call ", bar.first, " on, for all runs");
    if (bar.end == bar.first + 1) life = text("call ", bar.first);
    return text(what, call.op->name(), call.where.empty() ? "" : " in ", call.where, "\n",
                bytes_text(bar.bytes), " at ", bytes_text(bar.offset), ", ", life);
  }

  void draw_label(const Bar& bar, const Call& call, double middle, double center, double width,
                  double height) {
    if (bar.value == kNoValue || height < kLine + 2) return;
    std::string name = text('%', bar.value, ' ', call.op->name());
    if (width < kCharacter * static_cast<double>(name.size())) name = text('%', bar.value);
    const std::string size = bytes_text(bar.bytes);
    const bool two = height > 2 * kLine + 4 &&
                     width > kCharacter * static_cast<double>(std::max(name.size(), size.size()));
    if (width < kCharacter * static_cast<double>(name.size())) return;
    write(middle, center + (two ? -2 : 4), "class=\"label\" text-anchor=\"middle\"", name);
    if (two) write(middle, center + 11, "class=\"label\" text-anchor=\"middle\"", size);
  }

  /// Light below dark, so that it is seen on bars and on paper.
  void draw_bytes_in_use() {
    const auto in_use = detail::bytes_in_use(plan_.slots, plan_.gap, times_ + 1);
    std::string path = text("M", number(x(0)), " ", number(y(0)));
    for (int32_t i = 0; i < times_; ++i) {
      path += text("V", number(y(in_use[static_cast<size_t>(i)])), "H", number(x(i + 1)));
    }
    for (const auto& [color, width] : {std::pair("#ffffff", "3.5"), {"#1f2430", "1.5"}}) {
      out_ += text("<path d=\"", path, "\" fill=\"none\" stroke=\"", color, "\" stroke-width=\"",
                   width, "\" stroke-linejoin=\"round\" pointer-events=\"none\"/>\n");
    }
  }

  void draw_prologue() {
    if (graph_.prologue == 0) return;
    const double at = x(graph_.prologue);
    line(at, kTop - 8, at, kBottom, "stroke=\"#1f2430\" stroke-dasharray=\"3 3\"");
    write(at, kTop - 12, text("text-anchor=\"middle\" fill=\"", kQuiet, "\""), "prologue | run");
  }

  void draw_legend(const std::vector<Bar>& bars) {
    double at = kLeft;
    const auto entry = [&](std::string_view color, std::string_view name, double height) {
      out_ += text("<rect x=\"", number(at), "\" y=\"", number(651 - height / 2),
                   "\" width=\"14\" height=\"", height, "\" rx=\"1\" fill=\"", color, "\"/>\n");
      write(at + 20, 655, text("fill=\"", kInk, "\""), name);
      at += 44 + 6.4 * static_cast<double>(name.size());
    };
    for (const detail::OpFamily& family : detail::op_families()) {
      const bool used = std::ranges::any_of(bars, [&](const Bar& bar) {
        return bar.value != kNoValue && &family == &family_of(bar);
      });
      if (used) entry(family.color, family.name, 12);
    }
    if (std::ranges::count(bars, kNoValue, &Bar::value) > 0) entry(kWorkspace, "workspace", 12);
    entry(kInk, "bytes in use", 2);
  }
  const detail::OpFamily& family_of(const Bar& bar) const {
    return detail::family_of(*graph_.code[static_cast<size_t>(bar.call)].op);
  }

  const Graph& graph_;
  const Plan& plan_;
  const int32_t times_;  // calls, and the moment when outputs are copied
  const int64_t bytes_;
  std::string out_;
};

}  // namespace

std::string memory_svg(const Graph& graph, const Plan& plan) { return Picture(graph, plan).draw(); }

}  // namespace reprise
