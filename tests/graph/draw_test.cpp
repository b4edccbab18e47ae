// Pictures of symbolic graphs: their text, options and errors, and what Graphviz makes of them.

#include "../../graph/draw.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "../../graph/graphviz.h"
#include "../../graph/symbolic_value.h"
#include "../../layers/nn.h"
#include "../io/temporary_folder.h"
#include "../layers/helpers.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::error_of, testing::read_file, testing::TemporaryFolder;

/// The lines without the head and the legend, which are style alone, and without what all boxes and
/// all words on lines have in common.
std::string body(std::string dot) {
  const size_t begin = dot.find('\n', dot.find("\n  node [height") + 1) + 1;
  dot = dot.substr(begin, dot.find("  labelloc=t\n") - begin);
  const std::string words = R"dot(, shape=plain, style="", fontsize=9, fontcolor="#3d4752")dot";
  for (size_t at; (at = dot.find(words)) != dot.npos;) dot.erase(at, words.size());
  return dot;
}

/// Pairs of names joined by a line, in the order of the text.
std::string lines_of(const std::string& dot) {
  std::istringstream in(dot);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (line.find(" -> ") == line.npos || line.find("rank=same") != line.npos) continue;
    const size_t end = std::min(line.find(" ["), line.size());
    out += line.substr(line.find_first_not_of(' '), end - line.find_first_not_of(' ')) + "\n";
  }
  return out;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

size_t count(const std::string& text, std::string_view part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++n;
  return n;
}

bool has_program() { return std::system("dot -V >/dev/null 2>&1") == 0; }

struct Swap : nn::Layer<Swap> {
  std::pair<Tensor, Tensor> forward(const Tensor& a, const Tensor& b) const { return {b, a * 2}; }
};

TEST(Draw, ASmallModelWhole) {
  const Tensor x = Input({4}), h = nn::Linear(4, 3)(x), positive = relu(h);
  const Tensor y = positive + h * tensor(2.0);
  EXPECT_EQ(body(draw_graph(SymbolicModel(x, y))),
            R"dot(  v0 [label="(None, 4)", fillcolor="#cfe2ff"]
  c0 [label="Linear_1"]
  v1 [label="(None, 3)", fillcolor="white"]
  c1 [label="ReLU_1"]
  v2 [label="(None, 3)", fillcolor="white"]
  c2 [label="Mul_1"]
  v3 [label="(None, 3)", fillcolor="white"]
  c3 [label="Add_1"]
  v4 [label="(None, 3)", fillcolor="#d1e7dd"]
  v0 -> c0 [dir=none, weight=4]
  c0 -> v1 [weight=4]
  v1 -> c1 [dir=none, weight=4]
  c1 -> v2 [weight=4]
  v1 -> c2 [dir=none, weight=4]
  c2 -> v3 [weight=4]
  v2 -> c3 [dir=none, weight=4]
  v3 -> c3 [dir=none, weight=4]
  c3 -> v4 [weight=4]
)dot");
}

TEST(Draw, InputsAndOutputsInsteadOfAModel) {
  const Tensor x = Input({4}), h = tanh(x), y = relu(h);
  const std::string dot = draw_graph(x, y);
  EXPECT_EQ(dot, draw_graph(SymbolicModel(x, y)));
  EXPECT_EQ(lines_of(draw_graph(h, y)), "v0 -> c0\nc0 -> v1\n");
  for (const char* word : {">input<", ">hidden<", ">output<"}) EXPECT_TRUE(contains(dot, word));
  EXPECT_FALSE(contains(dot, "goes on"));
  EXPECT_FALSE(contains(dot, "rankdir"));
  EXPECT_FALSE(contains(dot, "size=\""));
}

TEST(Draw, SeveralInputsAndOutputs) {
  const Tensor a = Input({2}), b = Input({2}), unused = Input({5});
  const auto [left, right] = Swap()(a, b);
  EXPECT_EQ(body(draw_graph({a, b, unused}, {right, left, right, b})),
            R"dot(  v0 [label="input 0\n(None, 2)", fillcolor="#cfe2ff"]
  v1 [label="input 1, output 3\n(None, 2)", fillcolor="#cfe2ff;0.5:#d1e7dd"]
  v2 [label="input 2\n(None, 5)", fillcolor="#cfe2ff"]
  c0 [label="Swap_1"]
  v3 [label="output 1\n(None, 2)", fillcolor="#d1e7dd"]
  v4 [label="output 0, output 2\n(None, 2)", fillcolor="#d1e7dd"]
  v0 -> c0 [dir=none, weight=4]
  v1 -> c0 [dir=none, weight=4]
  p3 [label="0"]
  c0 -> p3 [dir=none]
  p3 -> v3
  p4 [label="1"]
  c0 -> p4 [dir=none]
  p4 -> v4
)dot");
}

TEST(Draw, TextsAndNames) {
  const Tensor x = Input({4}), h = nn::Linear(4, 3)(x), y = relu(h);
  const DrawOptions options{.edge_text =
                                [](const DrawnCall& call) {
                                  if (call.layer == nullptr) return std::string();
                                  return text(call.name, "\n", call.layer->num_parameters(),
                                              " params");
                                },
                            .names = {{"x", x}, {"features", h}}};
  const std::string dot = draw_graph(x, y, options);
  EXPECT_TRUE(contains(dot, R"dot(v0 [label="x\n(None, 4)")dot")) << dot;
  EXPECT_TRUE(contains(dot, R"dot(v1 [label="features\n(None, 3)")dot")) << dot;
  EXPECT_TRUE(contains(dot, R"dot(c0 [label="Linear_1\n15 params")dot")) << dot;
  EXPECT_TRUE(contains(dot, R"dot(c1 [label="")dot")) << dot;
  DrawOptions own = options;
  own.node_text = [](const DrawnValue& value) {
    return text(value.name, "|", value.type, "|", value.variable, "|", value.meta.dtype);
  };
  const std::string other = draw_graph(SymbolicModel(x, y), own);
  EXPECT_TRUE(contains(other, R"dot(label="Linear_1|(None, 3)|features|float32")dot")) << other;
  EXPECT_TRUE(contains(other, R"dot(label="ReLU_1|(None, 3)||float32")dot")) << other;
}

TEST(Draw, ValuesOfAnyType) {
  const Symbolic<int> n = CustomInput(3);
  const auto twice = add_to_graph([](int value) { return 2 * value; }, n);
  custom_name(twice.node(), "twice \"n\"");
  const std::string dot = draw_graph(n, twice, {.names = {{"n", n}}});
  EXPECT_TRUE(contains(dot, R"dot(v0 [label="n\nint", fillcolor="#cfe2ff")dot")) << dot;
  EXPECT_TRUE(contains(dot, R"dot(c0 [label="twice \"n\"")dot")) << dot;
  EXPECT_TRUE(contains(dot, R"dot(v1 [label="int", fillcolor="#d1e7dd")dot")) << dot;
}

TEST(Draw, RotatesAndScales) {
  const SymbolicModel model = test::net();
  const std::string dot = draw_graph(model, {.rotate = true, .figsize = {10, 7.5}});
  EXPECT_TRUE(contains(dot, ", rankdir=LR")) << dot;
  EXPECT_TRUE(contains(dot, ", size=\"10,7.5!\"")) << dot;
}

TEST(Draw, EscapesWhatPeopleWrite) {
  const Tensor x = Input({1}), y = relu(x);
  const std::string name = "a \"b\" \\n <b>c</b> &lt; {d|e}\nf\tg";
  const std::string dot = draw_graph(x, y, {.names = {{name, x}}});
  EXPECT_TRUE(
      contains(dot, R"dot(label="a \"b\" \\n <b>c</b> &amp;lt; {d|e}\nf g\n(None, 1)", fill)dot"))
      << dot;
  if (has_program()) {
    EXPECT_TRUE(contains(detail::render_with_program(dot, "svg"), "&lt;b&gt;c&lt;/b&gt; &amp;lt;"));
  }
}

// ---- Nested models

TEST(Draw, NestedModelsAreOneLineOrABox) {
  const Tensor p = Input({4}), inner_y = relu(nn::Linear(4, 4)(p));
  const SymbolicModel inner(p, inner_y);
  const Tensor x = Input({4}), once = inner(x), twice = inner(once);
  const SymbolicModel model(x, twice);
  EXPECT_EQ(lines_of(draw_graph(model)), "v0 -> c0\nc0 -> v1\nv1 -> c1\nc1 -> v2\n");
  const std::string dot = draw_graph(model, {.expand_nested = true});
  EXPECT_EQ(lines_of(dot),
            "v0 -> c0\nc0 -> v1\nv1 -> c1\nc1 -> v2\n"
            "v2 -> c2\nc2 -> v3\nv3 -> c3\nc3 -> v4\n");
  EXPECT_EQ(body(dot).substr(0, body(dot).find("  subgraph cluster_1")),
            R"dot(  v0 [label="(None, 4)", fillcolor="#cfe2ff"]
  subgraph cluster_0 {
    label="Symbolic\lModel_1\l"
    c0 [label="Linear_1"]
    v1 [label="(None, 4)", fillcolor="white"]
    c1 [label="ReLU_1"]
    v2 [label="(None, 4)", fillcolor="white"]
  }
)dot");
  EXPECT_TRUE(contains(dot, R"dot(v4 [label="(None, 4)", fillcolor="#d1e7dd"])dot")) << dot;
}

TEST(Draw, BoxesInBoxes) {
  const Tensor p = Input({4}), q = Input({4});
  const SymbolicModel core({p, q}, {p, relu(q) - p});  // the first output is an input
  const Tensor a = Input({4});
  const Tensors both = core.outputs(a, ones({1, 4}));  // and a constant is one
  const SymbolicModel middle(a, tanh(both[0]) * both[1]);
  const Tensor x = Input({4}), y = middle(x);
  const SymbolicModel model(x, y);
  const auto boxes = [&](int depth) {
    return count(draw_graph(model, {.expand_nested = true, .depth = depth}), "cluster");
  };
  EXPECT_EQ(boxes(0), 0u);
  EXPECT_EQ(boxes(1), 1u);
  EXPECT_EQ(boxes(2), 2u);
  EXPECT_EQ(boxes(99), 2u);
  EXPECT_EQ(lines_of(draw_graph(model, {.expand_nested = true})),
            "c0 -> v1\n"                        // relu of the constant
            "v1 -> c1\nv0 -> c1\nc1 -> v2\n"    // sub
            "v0 -> c2\nc2 -> v3\n"              // tanh
            "v3 -> c3\nv2 -> c3\nc3 -> v4\n");  // mul
  const std::string named =
      draw_graph(model, {.names = {{"inner", q}, {"y", y}}, .expand_nested = true});
  EXPECT_TRUE(contains(named, R"dot(v4 [label="y\n)dot")) << named;
}

// ---- Columns

TEST(Draw, LongChainsGoOnInAnotherColumn) {
  const Tensor x = Input({4});
  Tensor y = x;
  for (int i = 0; i < 8; ++i) y = i == 5 ? y + x : relu(y);
  const std::string dot = draw_graph(x, y, {.wrap = 3});
  EXPECT_TRUE(contains(dot, "goes on"));
  EXPECT_TRUE(contains(dot, "{ rank=same; v0 -> v2_1 -> v5_2 [style=invis] }")) << dot;
  for (const char* line : {"v2 -> v2_\n", "v2_1 -> c2\n", "v5 -> v5_\n", "v5_2 -> c5\n",
                           "v0 -> v0_\n", "v0_2 -> c5\n"}) {
    EXPECT_EQ(count(lines_of(dot), line), 1u) << line << dot;
  }
  const std::string whole = draw_graph(x, y, {.wrap = 0});
  EXPECT_EQ(count(whole, "circle") + count(whole, "rank=same"), 0u) << whole;
  EXPECT_EQ(draw_graph(x, y), whole);
}

TEST(Draw, BoxesAndBundlesAreNotCut) {
  const Tensor p = Input({4});
  const SymbolicModel inner(p, relu(relu(relu(relu(p)))));
  const Tensor x = Input({4});
  const std::string dot =
      draw_graph(x, inner(inner(x)), {.expand_nested = true, .depth = 1, .wrap = 4});
  EXPECT_TRUE(contains(dot, "{ rank=same; v0 -> v4_1 [style=invis] }")) << dot;
  Tensor sum = x;
  Tensors many;
  for (int i = 0; i < 16; ++i) many.push_back(sum = relu(sum));
  sum = cat(many);
  EXPECT_FALSE(contains(draw_graph(x, sum, {.wrap = 9}), "goes on"));
}

TEST(Draw, DeepChainsInAMoment) {
  const Tensor x = Input({4});
  Tensor y = x;
  for (int i = 0; i < 2500; ++i) y = relu(y);
  const std::string dot = draw_graph(x, y);
  EXPECT_EQ(count(dot, "[label=\"ReLU_"), 2500u);
  EXPECT_EQ(count(dot, "shape=circle"), 2 * 69u);
}

// ---- Files

TEST(Draw, FilesOfEveryFormat) {
  const TemporaryFolder folder;
  const SymbolicModel model = test::net();
  const std::string dot = draw_graph(model, {.file = folder / "a.dot"});
  EXPECT_EQ(read_file(folder / "a.dot"), dot);
  draw_graph(model, {.file = folder / "a.b.GV"});
  EXPECT_EQ(read_file(folder / "a.b.GV"), dot);
  if (!detail::has_graphviz_library() && !has_program()) GTEST_SKIP() << "no Graphviz";
  for (const auto& [name, begin] :
       {std::pair{"a.svg", "<?xml"}, {"a.png", "\x89PNG\r\n"}, {"a.pdf", "%PDF-"}}) {
    EXPECT_EQ(draw_graph(model, {.file = folder / name}), dot);
    EXPECT_EQ(read_file(folder / name).find(begin), 0u) << name;
  }
  EXPECT_TRUE(contains(read_file(folder / "a.svg"), ">Conv2d_2</text>"));
  EXPECT_EQ(folder.file_count(), 5u);
}

TEST(Draw, ErrorsLeaveFilesAlone) {
  const TemporaryFolder folder;
  const SymbolicModel model = test::net();
  const auto error = [&](const DrawOptions& options) {
    return error_of([&] { draw_graph(model, options); });
  };
  for (const char* name : {"a.bmp", "a", "a.", ".d/svg"}) {
    EXPECT_EQ(error({.file = name}),
              text("draw_graph: expected a file that ends in .dot, .gv, .svg, .png or .pdf, got \"",
                   name, "\""));
  }
  EXPECT_EQ(error({.file = folder / "none/a.svg"}),
            folder / "none/a.svg" + ": cannot be written: No such file or directory");
  EXPECT_EQ(error({.figsize = {4, 0}}),
            "draw_graph: expected a figsize of two positive numbers, got 4 and 0");
  EXPECT_EQ(error({.figsize = {-1, -1}}),
            "draw_graph: expected a figsize of two positive numbers, got -1 and -1");
  EXPECT_EQ(error({.depth = -1}), "draw_graph: expected a depth of at least 0, got -1");
  EXPECT_EQ(error({.wrap = -1}), "draw_graph: expected a wrap of at least 0, got -1");
  EXPECT_TRUE(contains(error({.names = {{"x", ones({2})}}}), "draw_graph: expected a symbolic"));
  EXPECT_EQ(folder.file_count(), 0u);
}

/// Both ways to render, where they are.
class Rendering : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() ? !detail::has_graphviz_library() : !has_program())
      GTEST_SKIP() << "no Graphviz";
  }
  static std::string render(const std::string& dot, const std::string& format) {
    return GetParam() ? detail::render_with_library(dot, format)
                      : detail::render_with_program(dot, format);
  }
};

TEST_P(Rendering, ReadsAllThatIsDrawn) {
  const Tensor x = Input({4});
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = relu(y);
  // Lines "node NAME ..." and "edge TAIL HEAD ...".
  const std::string plain = render(draw_graph(x, y, {.wrap = 10}), "plain");
  EXPECT_EQ(count(plain, "\nnode v"), 41 + 2 * 4u) << plain;
  EXPECT_EQ(count(plain, "\nnode c"), 40u);
  EXPECT_EQ(count(plain, "\nedge "), 80 + 4 + 4u);
}

TEST_P(Rendering, MakesPictures) {
  EXPECT_EQ(render("digraph { a -> b }", "png").find("\x89PNG\r\n"), 0u);
  EXPECT_EQ(render("digraph { a -> b }", "pdf").find("%PDF-"), 0u);
  EXPECT_TRUE(contains(render("digraph { a -> b }", "svg"), "</svg>"));
}

TEST_P(Rendering, SaysWhatGraphvizSays) {
  ::testing::internal::CaptureStderr();
  const std::string syntax = error_of([] { render("digraph { a -> ", "svg"); });
  EXPECT_EQ(syntax.find("draw_graph: Graphviz failed to make svg: "), 0u) << syntax;
  EXPECT_TRUE(contains(syntax, "syntax error in line")) << syntax;
  EXPECT_EQ(syntax.find('\n'), syntax.npos);
  EXPECT_TRUE(contains(error_of([] { render("digraph { }", "abc"); }), "abc"));
  render("digraph { a [shape=nonsense] }", "svg");  // only a warning
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_P(Rendering, FromSeveralThreads) {
  std::array<std::string, 4> pictures;
  std::vector<std::thread> threads;
  for (std::string& picture : pictures) {
    threads.emplace_back([&] { picture = render("digraph \"\" { a -> b }", "svg"); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& picture : pictures) EXPECT_EQ(picture, pictures[0]);
}

INSTANTIATE_TEST_SUITE_P(Draw, Rendering, ::testing::Values(true, false),
                         [](const auto& which) { return which.param ? "Library" : "Program"; });

TEST(Draw, WithoutGraphvizOneSentence) {
  const std::string path = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const std::string error = error_of([] { detail::render_with_program("digraph { }", "svg"); });
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(
      error,
      "draw_graph: making svg needs Graphviz, whose program `dot` cannot be run (No such file "
      "or directory): install it, e.g. apt-get install graphviz");
}

}  // namespace
}  // namespace reprise
