// More elements than 32 bits count. Results are looked at in few places: at the ends and where an
// index of 32 bits turns. The emulated device gets few elements.

#include "../../../core/cuda.h"
#include "../../../core/ops.h"
#include "../../core/on_device.h"

namespace reprise::cuda {
namespace {

constexpr int64_t kMemory = int64_t{24} << 30;

class LongCuda64Bit : public test::OnDevice<testing::TestWithParam<DType>> {
 protected:
  void SetUp() override {
    OnDevice::SetUp();
    if (IsSkipped()) return;
    if (test::is_emulated(Device::cuda())) {
      middle_ = 1 << 10;
      side_ = 33;
    } else if (mem_get_info().free < kMemory) {
      GTEST_SKIP() << "it needs 24 GiB of memory";
    }
    places_ = {0, 1, middle_ - 1, middle_, middle_ + 1, size() - 1};
  }
  void TearDown() override {
    if (!IsSkipped()) empty_cache();
  }

  int64_t size() const { return middle_ + 5; }
  static Tensor zeros_there(const Shape& shape) {
    return zeros(shape, {.dtype = GetParam(), .device = Device::cuda()});
  }
  /// Zeros, but for 1, 2, 3 ... at the places.
  Tensor marked() const {
    const Tensor x = zeros_there({size()});
    for (size_t k = 0; k < places_.size(); ++k) {
      x.slice(0, places_[k], places_[k] + 1).fill_(static_cast<double>(k + 1));
    }
    return x;
  }
  void expect_marked(const Tensor& x, double factor = 1) const {
    ASSERT_EQ(x.shape(), Shape{size()});
    for (size_t k = 0; k < places_.size(); ++k) {
      EXPECT_EQ(x[places_[k]].item<double>(), factor * static_cast<double>(k + 1)) << places_[k];
    }
    for (const int64_t i : {int64_t{2}, middle_ - 2, middle_ + 2, size() - 2}) {
      EXPECT_EQ(x[i].item<double>(), 0) << i;
    }
  }

  int64_t middle_ = int64_t{1} << 31;
  int64_t side_ = 46342;  ///< of a square with more elements
  std::vector<int64_t> places_;
};

TEST_P(LongCuda64Bit, Elementwise) {
  const Tensor x = marked();
  expect_marked(x + x, 2);
  expect_marked(x.to(float32));
  expect_marked(x.clone());
  const Tensor y = x.slice(0, 1).clone();  // not aligned
  for (size_t k = 1; k < places_.size(); ++k) {
    EXPECT_EQ(y[places_[k] - 1].item<double>(), static_cast<double>(k + 1)) << places_[k];
  }
}

TEST_P(LongCuda64Bit, TransposedCopy) {
  const Tensor x = zeros_there({side_, side_});
  const int64_t last = side_ - 1;
  const std::pair<int64_t, int64_t> at[] = {{0, 0}, {0, last}, {last, 0}, {last, last}, {last, 7}};
  for (size_t k = 0; k < std::size(at); ++k) {
    x[at[k].first][at[k].second].fill_(static_cast<double>(k + 1));
  }
  const Tensor y = x.transpose(0, 1).contiguous();
  for (size_t k = 0; k < std::size(at); ++k) {
    EXPECT_EQ(y[at[k].second][at[k].first].item<double>(), static_cast<double>(k + 1)) << k;
  }
  EXPECT_EQ(y[last][7].item<double>(), 0);
}

TEST_P(LongCuda64Bit, Reductions) {
  const Tensor x = marked();
  EXPECT_EQ(sum(x).item<double>(), 21);
  const auto [value, index] = max(x, 0);
  EXPECT_EQ(value.item<double>(), 6);
  EXPECT_EQ(index.item<int64_t>(), size() - 1);
  const int64_t last = side_ - 1;
  const Tensor rows = zeros_there({side_, side_});
  rows[last].fill_(1);
  const Tensor sums = sum(rows, 1), columns = sum(rows, 0);
  EXPECT_EQ(sums[last].item<double>(), full({}, side_, {.dtype = sums.dtype()}).item<double>());
  EXPECT_EQ(sums[last - 1].item<double>(), 0);
  EXPECT_EQ(columns[last].item<double>(), 1);
}

TEST_P(LongCuda64Bit, IndexSelect) {
  const Tensor there = tensor(places_).cuda();
  EXPECT_EQ(index_select(marked(), 0, there).to_vector<double>(),
            (std::vector<double>{1, 2, 3, 4, 5, 6}));
  const Tensor x = zeros_there({side_, side_});
  x[side_ - 1][side_ - 1].fill_(3);
  const Tensor turned = index_select(x, 1, arange(side_ - 1, -1, -1).cuda());
  EXPECT_EQ(turned[side_ - 1][0].item<double>(), 3);
  EXPECT_EQ(turned[side_ - 1][side_ - 1].item<double>(), 0);
}

TEST_P(LongCuda64Bit, Cat) {
  const Tensor x = marked();
  expect_marked(cat({x.slice(0, 0, middle_ - 1), x.slice(0, middle_ - 1)}, 0));
}

TEST_P(LongCuda64Bit, Softmax) {
  if (GetParam() == uint8) GTEST_SKIP() << "for floating point";
  const Tensor x = zeros_there({side_, side_});
  const int64_t last = side_ - 1;
  x[last][last].fill_(20);
  const double even = 1.0 / static_cast<double>(side_);
  for (const int dim : {0, 1}) {
    const Tensor y = softmax(x, dim);
    EXPECT_NEAR(y[last][last].item<double>(), 1, 1e-3);
    EXPECT_LT(y[dim == 0 ? 0 : last][dim == 0 ? last : 0].item<double>(), 1e-6);
    EXPECT_NEAR(y[0][0].item<double>(), even, even / 100);
    EXPECT_NEAR(y[last - 1][last - 1].item<double>(), even, even / 100);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LongCuda64Bit, testing::Values(uint8, float16),
                         [](const auto& dtype) { return std::string(to_string(dtype.param)); });

}  // namespace
}  // namespace reprise::cuda
