// The walk of kernels over operands of any strides, taken step by step on the host.

#include "../../../kernels/cuda/layout.h"

#include <gtest/gtest.h>

#include <set>

namespace reprise::cuda {
namespace {

using Visited = std::multiset<std::vector<int64_t>>;

/// Where each element lies in every operand, straight from the metas.
Visited places(const std::vector<Meta>& metas) {
  Visited out;
  const int64_t n = metas[0].numel();
  for (int64_t i = 0; i < n; ++i) {
    std::vector<int64_t> at(metas.size());
    int64_t rest = i;
    for (size_t d = metas[0].shape.size(); d-- > 0; rest /= metas[0].shape[d]) {
      for (size_t k = 0; k < metas.size(); ++k) {
        at[k] += rest % metas[0].shape[d] * metas[k].strides[d];
      }
    }
    out.insert(at);
  }
  return out;
}

void visit(const Layout& layout, Visited& out) {
  for (int64_t i = 0; i < layout.numel(); ++i) {
    std::vector<int64_t> at(layout.first, layout.first + layout.operands);
    int64_t rest = i;
    for (int d = 0; d < layout.dims; rest /= layout.sizes[d++]) {
      for (size_t k = 0; k < at.size(); ++k) {
        at[k] += rest % layout.sizes[d] * layout.steps[d][k];
      }
    }
    out.insert(at);
  }
}

std::vector<View> views_of(const std::vector<Meta>& metas, void* data = nullptr) {
  std::vector<View> views;
  for (const Meta& meta : metas) views.push_back({data, &meta});
  return views;
}

const std::vector<std::vector<Meta>> kOperands{
    {Meta({}, float32), Meta({}, float32)},
    {Meta({1, 1}, float32), Meta({1, 1}, {0, 0}, float32)},
    {Meta({3, 0, 2}, float32), Meta({3, 0, 2}, float32)},
    {Meta({5, 7}, float32), Meta({5, 7}, float32)},
    {Meta({5, 7}, float32), Meta({5, 7}, {1, 5}, float32), Meta({5, 7}, {0, 1}, float32)},
    {Meta({16, 24}, float32), Meta({16, 24}, {1, 16}, float32)},
    {Meta({3, 8, 2, 16}, float32), Meta({3, 8, 2, 16}, {256, 1, 128, 8}, float32)},
    {Meta({4, 1, 6}, {6, 99, 1}, float32), Meta({4, 1, 6}, {1, 7, 4}, float32)},
    {Meta({4, 5, 6}, {1, 24, 4}, float32), Meta({4, 5, 6}, {1, 24, 4}, float32)},
    {Meta({2, 2, 2, 2, 2, 2, 2, 2}, float32),
     Meta({2, 2, 2, 2, 2, 2, 2, 2}, {1, 4, 2, 16, 8, 64, 32, 128}, float32)}};

TEST(CudaLayout, VisitsEveryElementOnceInPartsAndSquares) {
  for (const std::vector<Meta>& metas : kOperands) {
    const Visited expected = places(metas);
    for (const int64_t most : {int64_t{1} << 30, int64_t{40}, int64_t{3}, int64_t{1}}) {
      Visited plain, squares;
      for_each_part(Layout(views_of(metas)), most, [&](const Layout& part) {
        EXPECT_LE(part.numel(), most);
        visit(part, plain);
        visit(part.in_squares(), squares);
      });
      EXPECT_EQ(plain, expected) << to_string(metas[0].shape) << " in parts of " << most;
      EXPECT_EQ(squares, expected) << to_string(metas[0].shape) << " in parts of " << most;
    }
  }
}

TEST(CudaLayout, MergesWhatLiesDense) {
  const auto dims = [](const std::vector<Meta>& metas) { return Layout(views_of(metas)).dims; };
  const std::vector<int> expected{1, 1, 2, 1, 2, 2, 3, 2, 1, 5};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(dims(kOperands[i]), expected[i]) << "case " << i;
  }
  const Layout squares = Layout(views_of(kOperands[5])).in_squares();
  EXPECT_EQ(squares.sizes[0] * squares.sizes[1], 64);
}

TEST(CudaLayout, TakesPacksWhereAllOperandsDo) {
  alignas(16) std::byte data[64];
  const auto takes = [&](const std::vector<Meta>& metas, int width, int moved = 0) {
    const std::vector<View> views = views_of(metas, data + moved);
    return Layout(views).takes_packs(views, width);
  };
  const Meta dense({4, 8}, float32), row({4, 8}, {0, 1}, float32), column({4, 8}, {1, 0}, float32);
  EXPECT_TRUE(takes({dense, dense, row}, 4));
  EXPECT_TRUE(takes({dense, column}, 4));
  EXPECT_TRUE(takes({Meta({33}, float32)}, 4));            // one row: the rest is taken one by one
  EXPECT_TRUE(takes({Meta({4, 4}, {8, 1}, float32)}, 4));  // part of each row
  EXPECT_FALSE(takes({dense, dense}, 4, 4));               // not aligned
  EXPECT_TRUE(takes({dense, dense}, 1, 4));
  EXPECT_FALSE(takes({Meta({3}, float32)}, 4));
  EXPECT_FALSE(takes({Meta({4, 6}, {8, 1}, float32)}, 4));  // rests in every row
  EXPECT_FALSE(takes({Meta({4, 4}, {9, 1}, float32)}, 4));
  EXPECT_FALSE(takes({Meta({8}, float32), Meta({8}, {2}, float32)}, 4));
  EXPECT_FALSE(takes({Meta({4, 8}, {1, 4}, float32), dense}, 4));
}

}  // namespace
}  // namespace reprise::cuda
