// infer refuses what no public function would ask of an op: graphs are read from files.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>

#include "../../core/ops/elementwise.h"
#include "../../graph/op_text.h"
#include "infer_calls.h"

namespace reprise {
namespace {

std::string describe(const Calls& c) {
  std::string out = c.op->name() == "fused" ? "fused" : c.op->text();
  for (const Meta& m : c.in) out += text(" ", m.dtype, m.shape);
  return out;
}

TEST(Infer, TakesTheGoodNeighboursOfBadCalls) {
  for (const Calls& c : good_calls()) EXPECT_NO_THROW((void)c.op->infer(c.in)) << describe(c);
}

TEST(Infer, RefusesBadCalls) {
  for (const Calls& c : bad_calls()) EXPECT_THROW((void)c.op->infer(c.in), Error) << describe(c);
}

void expect_refused(const OpRef& op, const std::vector<Meta>& in) {
  EXPECT_THROW((void)op->infer(in), Error) << describe({op, in});
}

TEST(Infer, RefusesAWrongNumberOfOperands) {
  const std::set<std::string_view> many{"cat",           "host_call",    "fused",
                                        "unscale",       "foreach_copy", "foreach_fill",
                                        "foreach_clamp", "total_norm",   "clip_with_norm"},
      optional{"linear", "conv2d", "fused_batch_norm_grad"};
  for (const Calls& c : good_calls()) {
    if (many.contains(c.op->name())) continue;
    Calls fewer = c, more = c;
    more.in.push_back(Meta({2}, float32));
    expect_refused(c.op, more.in);
    if (c.in.empty()) continue;
    fewer.in.pop_back();
    if (!optional.contains(c.op->name())) expect_refused(c.op, fewer.in);
    expect_refused(c.op, {});
  }
}

/// Every op that is read from files, but for elementwise ones (one body) and those of graphs alone.
TEST(Infer, IsTestedForEveryOp) {
  std::set<std::string_view> tested;
  for (const Calls& c : bad_calls()) tested.insert(c.op->name());
#define REPRISE_TESTED(T) tested.insert(T::name);
  REPRISE_ELEMENTWISE_OPS(REPRISE_TESTED)
#undef REPRISE_TESTED
  for (const std::string_view name : detail::op_names()) {
    EXPECT_TRUE(name == "after" || tested.contains(name)) << name << " has no bad call";
  }
}

/// A meta that memory could have: dense or expanded, of any dtype.
Meta any_meta(std::mt19937_64& random) {
  constexpr std::array<int64_t, 10> sizes{0, 1, 1, 2, 3, 4, 8, 1 << 20, int64_t{1} << 31, kHuge};
  Shape shape;
  int64_t product = 1;
  for (uint64_t dims = random() % 6; dims > 0; --dims) {
    const int64_t size = sizes[random() % sizes.size()];
    if (product > kHuge / std::max<int64_t>(size, 1)) continue;
    product *= std::max<int64_t>(size, 1);
    shape.push_back(size);
  }
  const auto dtype = static_cast<DType>(random() % kDTypeCount);
  return random() % 2 == 0 ? Meta(shape, dtype) : Meta(shape, Shape::filled(shape.dim(), 0), dtype);
}

/// An error or outputs of sizes that are there, never a crash (sanitizers see more).
TEST(Infer, SurvivesOperandsOfAnyKind) {
  std::mt19937_64 random(1);
  Table all = good_calls();
  for (const Calls& bad : bad_calls()) all.push_back(bad);
  for (Calls c : all) {
    const std::vector<Meta> given = c.in;
    for (int round = 0; round < 50; ++round) {
      c.in = given;
      for (Meta& m : c.in) m = random() % 3 == 0 ? m : any_meta(random);
      if (random() % 4 == 0) c.in.resize(random() % (c.in.size() + 3), Meta({2}, float32));
      try {
        for (const Meta& out : c.op->infer(c.in)) {
          for (int64_t s : out.shape) EXPECT_GE(s, 0) << describe(c);
        }
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace reprise
