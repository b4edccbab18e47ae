// The report of a plan, whole, and its picture: well formed, one bar for each value.

#include <gtest/gtest.h>

#include <regex>

#include "../../graph/plan.h"
#include "plan_graphs.h"

namespace reprise {
namespace {

using test::Built;

/// A prologue, a workspace, a takeover and one output of each kind.
Graph example() {
  Built b;
  const ValueId w = b.capture({64});
  const ValueId kept = b.make(64, {w});
  b.graph.prologue = 1;
  const ValueId x = b.make(1 << 18, {b.input({1})}, 5000);
  const ValueId y = b.call(Relu{}, {x});
  const ValueId z = b.make(100, {y, kept});
  b.graph.outputs = {b.make(100, {z}), b.call(StridedSlice{0, 0, 50, 1}, {z})};
  b.graph.code[1].where = "stem.conv";
  b.graph.code[2].where = "a<b> & \"c\"";
  return std::move(b.graph);
}

TEST(PlanReport, Example) {
  const Graph graph = example();
  EXPECT_EQ("\n" + memory_report(graph, make_plan(graph)), R"(
Arena          1 MiB
Lower bound    1 MiB, arena / lower bound = 1.00
Without reuse  2 MiB
Values         4, over a dying input: 1
Workspaces     1
Outputs        2, copied: 1

Largest     Bytes     Calls   Op     Layer        Type
%3          1 MiB     1 - 1   make   stem.conv    float32[262144]
%4          1 MiB     2 - 3   relu   a<b> & "c"   float32[262144]
workspace   4.9 KiB   1 - 1   make   stem.conv
%5          400 B     3 - 6   make                float32[100]
%1          256 B     0 - 7   make                float32[64]
)");
}

TEST(PlanReport, NothingInTheArena) {
  Built b;
  b.graph.outputs = {b.call(Relu{}, {b.input({64})})};
  EXPECT_EQ("\n" + memory_report(b.graph, make_plan(b.graph)), R"(
Arena          0 B
Lower bound    0 B, arena / lower bound = 1.00
Without reuse  0 B
Values         0, over a dying input: 0
Workspaces     0
Outputs        1, copied: 0
)");
}

/// Whether every element is closed by its own tag, and no text holds a bare < or &.
bool is_well_formed(const std::string& xml) {
  static const std::regex tag("<(/?)([a-z0-9]+)((?: [a-zA-Z0-9:-]+=\"[^\"<]*\")*)(/?)>");
  std::vector<std::string> open;
  size_t at = 0;
  for (std::sregex_iterator m(xml.begin(), xml.end(), tag), end; m != end; ++m) {
    const std::string between = xml.substr(at, static_cast<size_t>(m->position()) - at);
    if (between.find('<') != std::string::npos) return false;
    at = static_cast<size_t>(m->position() + m->length());
    if ((*m)[1].length() > 0) {
      if (open.empty() || open.back() != (*m)[2]) return false;
      open.pop_back();
    } else if ((*m)[4].length() == 0) {
      open.push_back((*m)[2]);
    }
  }
  const std::regex bare("&(?!lt;|gt;|amp;|quot;)");
  return open.empty() && !std::regex_search(xml, bare) && xml.substr(at) == "\n";
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

TEST(MemorySvg, Example) {
  const Graph graph = example();
  const std::string svg = memory_svg(graph, make_plan(graph));
  EXPECT_TRUE(is_well_formed(svg)) << svg;
  EXPECT_EQ(count(svg, "class=\"bar\""), 5U);
  EXPECT_EQ(count(svg, "<title>"), 5U);
  EXPECT_EQ(count(svg, "<title>%3 float32[262144]\nmake in stem.conv\n1 MiB at "), 1U);
  EXPECT_EQ(count(svg, "relu in a&lt;b&gt; &amp; &quot;c&quot;\n"), 1U);
  EXPECT_EQ(count(svg, "<title>workspace of make in stem.conv\n4.9 KiB"), 1U);
  EXPECT_EQ(count(svg, "from call 0 on, for all runs<"), 1U);
  EXPECT_EQ(count(svg, ">512 KiB<"), 1U);
  EXPECT_EQ(count(svg, ">prologue | run<"), 1U);
}

TEST(MemorySvg, NothingInTheArena) {
  const Graph empty;
  EXPECT_TRUE(is_well_formed(memory_svg(empty, make_plan(empty))));
}

TEST(MemorySvg, RandomGraphs) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const Graph graph = test::RandomGraph(seed, 100).build();
    const Plan plan = make_plan(graph);
    const std::string svg = memory_svg(graph, plan);
    EXPECT_TRUE(is_well_formed(svg)) << seed;
    EXPECT_GE(count(svg, "class=\"bar\""), plan.slots.size());
    EXPECT_EQ(svg.find("nan"), std::string::npos);
  }
}

TEST(MemorySvg, TheJudgeOfFormFindsFaults) {
  EXPECT_TRUE(is_well_formed("<a><b x=\"1\"/>t</a>\n"));
  EXPECT_FALSE(is_well_formed("<a><b></a>\n"));
  EXPECT_FALSE(is_well_formed("<a>x < y</a>\n"));
  EXPECT_FALSE(is_well_formed("<a>x & y</a>\n"));
}

}  // namespace
}  // namespace reprise
