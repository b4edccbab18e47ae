// The text of graphs: what it looks like, that it reads back, and what is refused.

#include "../../graph/text.h"

#include <gtest/gtest.h>

#include <chrono>

#include "../../core/model.h"
#include "../../graph/verify.h"
#include "../core/expect.h"
#include "text_graphs.h"

namespace reprise {
namespace {

using test::call, test::capture, test::expect_error, test::input;

constexpr std::string_view kSmall = R"(%0 = input : float32[8, 4]
%fc.weight = capture : float32[2, 4]
%"my count" = capture : int64[]
prologue:
%3 = permute(%fc.weight) {dims=[1, 0]} : float32[4, 2 : 1, 4]
body:
%4 = matmul(%0, %3) : float32[8, 2]  # fc
%5 = relu(%4) into %4 : float32[8, 2]  # act
%6 = full() {shape=[], value=1, dtype=int64, device=cpu} : int64[]
%7 = add(%"my count", %6) into %"my count" : int64[]
update %"my count" = %7
return %5, %0
)";

TEST(GraphText, LooksSo) {
  const Graph g = test::small_graph();
  verify(g);
  EXPECT_EQ(to_string(g), kSmall);
}

TEST(GraphText, ShowsWritesViewsAndDevices) {
  const Graph g = test::large_graph();
  verify(g);
  const std::string text = to_string(g);
  for (const std::string part : {
           R"(%bn.part = capture of %bn.running-var at 1 : float32[2 : 2])",
           R"(%"12" = capture : float32[5])",
           R"(%"a \"quoted\\\" name\n%7" = capture : float32[5])",
           R"(%1 = input : float32[4, 6 : 1, 4])",
           R"(, %bn.running-var -> %17, %bn.count -> %18) {momentum=0.1, eps=1e-05} : float32[)",
           R"(%20 = exp(%19) into %19 : float32[2, 5, 8, 6 : 480, 48, 6, 1])",
           R"(%22, %23 = max(%1) {dim=1, keepdim=false, largest=true} : float32[4], int64[4])",
       }) {
    EXPECT_NE(text.find(part), text.npos) << part << "\nis not in\n" << text;
  }
  Graph other;
  other.outputs = {input(other, Meta({2}, float64, Device::cuda(1)))};
  EXPECT_EQ(to_string(other), "%0 = input : float64[2] cuda:1\nreturn %0\n");
}

TEST(GraphText, ReadsBack) {
  for (const Graph& g : {test::small_graph(), test::large_graph(), Graph()}) {
    const std::string text = to_string(g);
    const Graph read = parse(text);
    verify(read);
    EXPECT_TRUE(read == g) << text << "\nwas read as\n" << to_string(read);
    EXPECT_TRUE(parse(to_string(read)) == read);
    ASSERT_EQ(read.code.size(), g.code.size());
    for (size_t i = 0; i < g.code.size(); ++i) EXPECT_EQ(read.code[i].where, g.code[i].where);
    for (const Capture& c : read.captures) EXPECT_FALSE(c.tensor.defined());
  }
}

TEST(GraphText, TakesNamesCommentsAndGaps) {
  const Graph g = parse(
      "# by hand\n\n  %x = input : float32[3]  # the input\r\n"
      "%y=relu(%x):float32[3]#  net.act \n\nreturn %y  # that is all\n# end");
  EXPECT_EQ(to_string(g),
            "%0 = input : float32[3]\n%1 = relu(%0) : float32[3]  # net.act\nreturn %1\n");
  EXPECT_TRUE(parse("%5 = input : bool[]\nreturn %5") == parse("%0 = input : bool[]\nreturn %0"));
}

TEST(GraphText, GraphsDiffer) {
  const Graph g = test::large_graph();
  EXPECT_TRUE(g == g);
  const auto expect_other = [&](auto change) {
    Graph other = g;
    change(other);
    EXPECT_FALSE(g == other);
    EXPECT_FALSE(other == g);
  };
  expect_other([](Graph& o) { o.prologue = 0; });
  expect_other([](Graph& o) { std::swap(o.outputs[1], o.outputs[2]); });
  expect_other([](Graph& o) { o.outputs.pop_back(); });
  expect_other([](Graph& o) { o.inputs.pop_back(); });
  expect_other([](Graph& o) { o.updates.pop_back(); });
  expect_other([](Graph& o) { o.updates[0].last = o.updates[1].last; });
  expect_other([](Graph& o) { o.captures[0].name = "other"; });
  expect_other([](Graph& o) { o.values[0].meta.dtype = float64; });
  expect_other([](Graph& o) { o.values[9].offset = 2; });
  expect_other([](Graph& o) { o.code.pop_back(); });
  expect_other([](Graph& o) { o.code[1].op = make_ref<const Model<Conv2d>>(Conv2d{}); });
  expect_other([](Graph& o) { o.code[0].in[0] = o.captures[1].value; });
  expect_other([](Graph& o) { o.code[4].into = kNoValue; });
}

/// `text` with `from` replaced by `to`.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(GraphText, RefusesWhatDoesNotFit) {
  const auto expect = [](const std::string& from, const std::string& to, const std::string& part,
                         ErrorKind kind = ErrorKind::Format) {
    SCOPED_TRACE(to);
    const std::string text = with(std::string(kSmall), from, to);
    expect_error([&] { parse(text); }, kind, {part});
  };
  expect("matmul", "matmull", "line 7, column 6: matmull is not the name of an op");
  expect("%4 = mat", "%0 = mat", "line 7, column 35: %0 is defined twice");
  expect("matmul(%0, %3)", "matmul(%0, %9)", "line 7, column 18: there is no value %9 above");
  expect("(%0, %3)", "(%0, 3)", "line 7, column 17: expected '%', got '3'");
  expect("float32[8, 2]", "float32[8, 3]",
         "line 7, column 35: expected float32[8, 2], which matmul gives, got float32[8, 3]");
  expect("float32[8, 2]", "float64[8, 2]", "which matmul gives, got float64[8, 2]");
  expect("4, 2 : 1, 4]", "4, 2]", "expected float32[4, 2 : 1, 4], which permute gives");
  expect("float32[8, 2]", "float32", "line 7, column 32: expected '[', got '# fc'");
  expect("float32[8, 4]", "float32[8, 99999999999999]", "expected a whole number in [");
  expect("float32[8, 4]", "float32[8, -4]", "are too large or negative", ErrorKind::Shape);
  expect("float32[8, 4]", "float32[1099511627776, 1099511627776]", "line 1: the sizes",
         ErrorKind::Shape);
  expect("float32[8, 4]", "float32[8, 4 : 1]", "expected as many strides as sizes");
  expect("float32[8, 4]", "float32[8, 5]", "parse: line 7: matmul: cannot multiply",
         ErrorKind::Shape);
  expect("float32[8, 4]", "float32[8, 4] at home", "line 1, column 28: expected the end of the");
  expect("%6 = full", "full", "expected 1 results of full, got 0");
  expect("%6 = full", "%6, %8 = full", "expected 1 results of full, got 2");
  expect("%4 = matmul(%0, %3)", "%4 = matmul(%0, %3 -> %8)", "matmul does not write operand 1");
  expect("body:\n", "", "expected 'body:' before the return");
  expect("prologue:\n", "", "a body without a prologue");
  expect("body:\n", "prologue:\n", "the prologue must come before all calls");
  expect("\"my count\" = capture", "\"my count = capture", "expected '\"'");
  expect("update %\"my count\" = %7", "update %\"my count\" %7",
         "line 11, column 20: expected '='");
  expect("return %5, %0", "", "line 13, column 1: expected 'return', got the end of the text");
  expect("return %5, %0", "return %5 %0", "expected the end of the line, got '%0'");
  expect("return %5, %0\n", "return %5, %0\nreturn\n",
         "expected the end of the text, got 'return'");
  expect("capture : int64[]", "capture of %nil at 3 : int64[]", "there is no value %nil");
  expect("%0 = input", "%0, %1 = input", "expected one name for the input");
  expect("%7 = add", "%fc.weight = add", "%fc.weight is defined twice");
}

TEST(GraphText, RefusesBrokenCalls) {
  const std::string text = to_string(test::large_graph());
  const auto expect = [&](const std::string& from, const std::string& to, const std::string& part,
                          ErrorKind kind) {
    SCOPED_TRACE(to);
    const std::string broken = with(text, from, to);
    expect_error([&] { parse(broken); }, kind, {part});
  };
  expect("%bn.count -> %18", "%bn.count", "batch_norm writes operand 5", ErrorKind::Format);
  expect("-> %18", "-> %17", "%17 is defined twice", ErrorKind::Format);
  expect("max(%1)", "max()", "max: expected 1 operands, got 0", ErrorKind::Value);
  expect("{dim=1, keepdim", "{dim=7, keepdim", "max: expected dim in [0, 2), got 7",
         ErrorKind::Index);
  expect("after(%13, %20)", "after(%13)", "after: expected 2 operands, got 1", ErrorKind::Value);
}

TEST(GraphText, TakesLinearTime) {
  Graph g;
  ValueId x = input(g, Meta({4, 4}, float32));
  const ValueId w = capture(g, "w", Meta({4, 4}, float32));
  for (int i = 0; i < 10'000; ++i) x = call(g, MatMul{}, {x, w}, kNoValue, "layers");
  g.outputs = {x};
  const auto start = std::chrono::steady_clock::now();
  const Graph read = parse(to_string(g));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(read == g);
  EXPECT_LT(took.count(), 1);
  RecordProperty("milliseconds", std::to_string(took.count() * 1e3));
}

}  // namespace
}  // namespace reprise
