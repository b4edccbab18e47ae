// Tensors themselves: making them, their parts, sharing, converting, writing in place.

#include <cstdint>

#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "expect.h"

namespace reprise {
namespace {

using test::expect_tensor;

// ---- Making
// ----------------------------------------------------------------------------------------

TEST(Factories, FillAndChooseTheDtype) {
  expect_tensor(zeros({2}), tensor({0.0, 0.0}));
  expect_tensor(ones({1, 2}, {.dtype = int32}), tensor({{1, 1}}, {.dtype = int32}));
  EXPECT_EQ(full({2}, 2.5).dtype(), float32);
  EXPECT_EQ(full({2}, 7).dtype(), int64);
  EXPECT_EQ(full({2}, true).dtype(), bool_);
  expect_tensor(full({2}, 2.5, {.dtype = int64}), tensor({2, 2}));
  expect_tensor(full({}, 7), tensor(7));
  EXPECT_EQ(empty({3, 0, 2}).numel(), 0);
  expect_tensor(ones_like(tensor({{1, 2}})), tensor({{1, 1}}));
  expect_tensor(zeros_like(tensor({true})), tensor({false}));
  EXPECT_TRUE(zeros({2}, {.requires_grad = true}).requires_grad());
}

TEST(Factories, ArangeCountsAsInPyTorch) {
  expect_tensor(arange(4), tensor({0, 1, 2, 3}));
  expect_tensor(arange(2, 9, 3), tensor({2, 5, 8}));
  expect_tensor(arange(3, 0, -1), tensor({3, 2, 1}));
  expect_tensor(arange(0.5, 2.0, 0.5), tensor({0.5, 1.0, 1.5}));
  expect_tensor(arange(0), empty({0}, {.dtype = int64}));
  EXPECT_EQ(arange(3, {.dtype = float64}).dtype(), float64);
}

TEST(Factories, NestedLists) {
  EXPECT_EQ(tensor({1, 2}).dtype(), int64);
  EXPECT_EQ(tensor({1.0, 2.0}).dtype(), float32);
  EXPECT_EQ(tensor({1, 2.5}).dtype(), float32);
  EXPECT_EQ(tensor({true, false}).dtype(), bool_);
  EXPECT_EQ(tensor({{{1, 2, 3}, {4, 5, 6}}}).shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(tensor(5).shape(), Shape{});
  EXPECT_EQ(tensor({{}, {}}).shape(), (Shape{2, 0}));
  EXPECT_EQ(tensor({{1, 2}, {3, 4}}).to_vector<int>(), (std::vector{1, 2, 3, 4}));
  EXPECT_EQ(tensor({0.1}, {.dtype = float64}).item<double>(), 0.1);
  expect_tensor(tensor(std::vector<int32_t>{1, 2}), tensor({1, 2}, {.dtype = int32}));
  expect_tensor(tensor(std::vector{1.5, 2.5}), tensor({1.5, 2.5}));
}

TEST(Factories, FromBlobBorrowsAndDeletesOnce) {
  float values[] = {1, 2, 3, 4};
  int deletions = 0;
  {
    const Tensor x = from_blob(values, {2, 2}, {}, [&](void* data) {
      EXPECT_EQ(data, values);
      ++deletions;
    });
    const Tensor part = x[1];
    values[2] = 7;
    expect_tensor(part, tensor({7.0, 4.0}));
    EXPECT_EQ(x.data<float>(), values);
    EXPECT_EQ(deletions, 0);
  }
  EXPECT_EQ(deletions, 1);
}

TEST(Factories, RandomNumbersFollowTheSeed) {
  manual_seed(7);
  const Tensor a = randn({1000}), b = rand({1000});
  manual_seed(7);
  expect_tensor(randn({1000}), a);
  expect_tensor(rand({1000}), b);
  EXPECT_GE(min(b).item<double>(), 0);
  EXPECT_LT(max(b).item<double>(), 1);
  EXPECT_NEAR(mean(b).item<double>(), 0.5, 0.05);
  EXPECT_NEAR(mean(a).item<double>(), 0, 0.15);
  EXPECT_NEAR(mean(a * a).item<double>(), 1, 0.2);
  EXPECT_FALSE(rand({10}).to_vector<float>() == rand({10}).to_vector<float>());
}

// ---- Parts
// -----------------------------------------------------------------------------------------

TEST(Tensor, SizesAndStrides) {
  const Tensor x = zeros({2, 3, 4});
  EXPECT_EQ(x.dim(), 3);
  EXPECT_EQ(x.numel(), 24);
  EXPECT_EQ(x.size(-1), 4);
  EXPECT_EQ(x.strides(), (Strides{12, 4, 1}));
  EXPECT_EQ(x.transpose(0, 2).strides(), (Strides{1, 4, 12}));
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_FALSE(x.transpose(0, 2).is_contiguous());
  EXPECT_EQ(x.batch_size(), 2);
  EXPECT_EQ(zeros({5, 7}).features(), 7);
  const Tensor image = zeros({2, 3, 4, 5});
  EXPECT_EQ(image.C(), 3);
  EXPECT_EQ(image.channels(), 3);
  EXPECT_EQ(image.HW(), Pair(4, 5));
  EXPECT_EQ(image.CHW(), (std::array<int64_t, 3>{3, 4, 5}));
  EXPECT_EQ(image.HWC(), (std::array<int64_t, 3>{4, 5, 3}));
}

TEST(Tensor, CopyingAHandleSharesTheData) {
  Tensor x = tensor({1.0, 2.0});
  Tensor y = x;
  y.fill_(5);
  expect_tensor(x, tensor({5.0, 5.0}));
}

TEST(Tensor, CloneOwnsItsDataAndContiguousCopiesOnlyWhenNeeded) {
  Tensor x = tensor({{1, 2}, {3, 4}});
  Tensor copy = x.clone();
  copy.zero_();
  expect_tensor(x, tensor({{1, 2}, {3, 4}}));
  EXPECT_EQ(x.contiguous().raw_data(), x.raw_data());
  const Tensor turned = x.t().contiguous();
  EXPECT_TRUE(turned.is_contiguous());
  EXPECT_NE(turned.raw_data(), x.raw_data());
  expect_tensor(turned, tensor({{1, 3}, {2, 4}}));
}

TEST(Tensor, ItemAndDataGiveValues) {
  EXPECT_EQ(tensor({{2.5}}).item<float>(), 2.5f);
  EXPECT_EQ(tensor(7).item<double>(), 7.0);
  EXPECT_TRUE(tensor(true).item<bool>());
  const Tensor x = tensor({{1, 2}, {3, 4}});
  EXPECT_EQ(x.data<int64_t>()[3], 4);
  EXPECT_EQ(*x[1].data<int64_t>(), 3);
  EXPECT_EQ(*x.slice(1, 1).data<int64_t>(), 2);
  EXPECT_EQ(x.t().to_vector<int>(), (std::vector{1, 3, 2, 4}));
  EXPECT_EQ(zeros({0}).to_vector<float>().size(), 0u);
}

TEST(Tensor, ToConverts) {
  const Tensor x = tensor({1.7, -1.7, 0.0});
  EXPECT_EQ(x.to(float32).raw_data(), x.raw_data());
  expect_tensor(x.to(int64), tensor({1, -1, 0}));
  expect_tensor(x.to(bool_), tensor({true, true, false}));
  expect_tensor(tensor({true, false}).to(int32), tensor({1, 0}, {.dtype = int32}));
  expect_tensor(tensor({3}).to(float64), tensor({3.0}, {.dtype = float64}));
  expect_tensor(tensor({300, 5}).to(uint8), tensor({44, 5}, {.dtype = uint8}));
  const Tensor meta = x.to(Device::meta());
  EXPECT_EQ(meta.shape(), x.shape());
  EXPECT_FALSE(meta.has_data());
}

// ---- Sharing and writing
// ---------------------------------------------------------------------------

TEST(Views, WriteIntoTheirBase) {
  Tensor x = zeros({2, 3});
  Tensor row = x[1], column = x.select(1, 0), every_other = x.slice(1, 0, 3, 2);
  row.fill_(1);
  expect_tensor(x, tensor({{0.0, 0.0, 0.0}, {1.0, 1.0, 1.0}}));
  column.fill_(2);
  expect_tensor(row, tensor({2.0, 1.0, 1.0}));
  every_other.add_(tensor(10.0));
  expect_tensor(x, tensor({{12.0, 0.0, 10.0}, {12.0, 1.0, 11.0}}));
  Tensor flat = x.view({6});
  flat.zero_();
  expect_tensor(x.transpose(0, 1), zeros({3, 2}));
  for (const Tensor& view : {x.reshape({3, 2}), x.t(), x.unsqueeze(0), x.permute({1, 0}),
                             x.expand({4, 2, 3}), x.flatten(), x.slice(0, 1)}) {
    EXPECT_EQ(view.impl().storage, x.impl().storage);
  }
  EXPECT_NE(x.t().reshape({6}).impl().storage, x.impl().storage);  // strides need a copy
}

TEST(InPlace, WritesThroughAllHandles) {
  Tensor x = tensor({1.0, -2.0}), other = x;
  x.add_(tensor({1.0, 1.0}));
  expect_tensor(other, tensor({2.0, -1.0}));
  x.sub_(tensor(1.0));
  expect_tensor(other, tensor({1.0, -2.0}));
  x *= tensor({3, 4});
  expect_tensor(other, tensor({3.0, -8.0}));
  x /= tensor({2.0, 2.0});
  expect_tensor(other, tensor({1.5, -4.0}));
  x.relu_();
  expect_tensor(other, tensor({1.5, 0.0}));
  x.copy_(tensor(9));
  expect_tensor(other, tensor({9.0, 9.0}));
  EXPECT_EQ(x.impl().storage->version(), 6u);
}

TEST(InPlace, ReadsOverlappingOperandsBeforeItWrites) {
  Tensor x = tensor({1.0, 2.0, 3.0, 4.0});
  Tensor head = x.slice(0, 0, 3);
  head.add_(x.slice(0, 1, 4));
  expect_tensor(x, tensor({3.0, 5.0, 7.0, 4.0}));
  Tensor square = tensor({{1, 2}, {3, 4}});
  square.add_(square.t());
  expect_tensor(square, tensor({{2, 5}, {5, 8}}));
}

}  // namespace
}  // namespace reprise
