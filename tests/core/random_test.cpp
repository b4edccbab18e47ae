#include "../../core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <set>
#include <thread>
#include <vector>

#include "../../core/parallel.h"

namespace reprise {
namespace {

using Words = std::array<uint32_t, 4>;

Words philox(Words counter, uint64_t key) {
  return std::to_array(philox4x32({{counter[0], counter[1], counter[2], counter[3]}}, key).word);
}

TEST(Philox, KnownAnswers) {  // kat_vectors of Random123
  EXPECT_EQ(philox({}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, UINT64_MAX),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, BlocksDependOnAllBitsOfTheirIndexAndSeed) {
  std::set<uint32_t> seen;
  for (int bit = 0; bit < 64; ++bit) {
    seen.insert(random_block(0, uint64_t{1} << bit).word[0]);
    seen.insert(random_block(uint64_t{1} << bit, 0).word[0]);
  }
  EXPECT_EQ(seen.size(), 128U);
}

template <class T>
class RandomValues : public ::testing::Test {
 protected:
  static constexpr int kCount = 400000;

  template <class Element>
  static std::vector<double> draw(Element element) {
    std::vector<double> values(kCount);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(element(i));
    return values;
  }
  static std::vector<double> uniforms() {
    return draw([](uint64_t i) { return uniform_at<T>(7, 1000, i); });
  }
  static std::vector<double> normals() {
    return draw([](uint64_t i) { return normal_at<T>(7, 1000, i); });
  }
  static double moment(const std::vector<double>& values, int power) {
    double sum = 0;
    for (const double value : values) sum += std::pow(value, power);
    return sum / static_cast<double>(values.size());
  }
  static double correlation(const std::vector<double>& values, size_t lag) {
    double sum = 0;
    for (size_t i = lag; i < values.size(); ++i) sum += values[i] * values[i - lag];
    return sum / static_cast<double>(values.size() - lag);
  }
};

using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RandomValues, Reals);

TYPED_TEST(RandomValues, UniformMomentsAndBounds) {
  const auto values = this->uniforms();
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*least, 0);
  EXPECT_LT(*most, 1);
  for (const int power : {1, 2, 3, 4}) {
    EXPECT_NEAR(this->moment(values, power), 1.0 / (power + 1), 2e-3) << power;
  }
}

TYPED_TEST(RandomValues, NormalMomentsAndTail) {
  const auto values = this->normals();
  constexpr double expected[] = {0, 1, 0, 3, 0, 15};
  constexpr double error[] = {0.006, 0.01, 0.03, 0.1, 0.3, 1};
  for (int power = 1; power <= 6; ++power) {
    EXPECT_NEAR(this->moment(values, power), expected[power - 1], error[power - 1]) << power;
  }
  for (const double bound : {1.0, 2.0, 3.0}) {
    const auto inside = std::count_if(values.begin(), values.end(),
                                      [&](double value) { return std::abs(value) < bound; });
    EXPECT_NEAR(static_cast<double>(inside) / this->kCount, std::erf(bound / std::numbers::sqrt2),
                3e-3);
  }
}

TYPED_TEST(RandomValues, NeighboursAreIndependent) {
  const auto values = this->normals();
  for (const size_t lag : {1, 2, 3, 4, 8}) EXPECT_NEAR(this->correlation(values, lag), 0, 6e-3);
}

TYPED_TEST(RandomValues, ExtremeBitsGiveFiniteValues) {
  for (const uint32_t bits : {0U, 1U, 0xffU, 0x100U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    for (const uint32_t other : {0U, 1U, 0x40000000U, 0x80000000U, 0xffffffffU}) {
      const RandomBlock block{{bits, bits, other, other}}, turned{{bits, other, bits, other}};
      for (const RandomBlock& b : {block, turned}) {
        const auto pair = normal_pair<TypeParam>(b, 0);
        EXPECT_TRUE(std::isfinite(pair.value[0]) && std::isfinite(pair.value[1]));
        EXPECT_LT(uniform<TypeParam>(b, 0), 1);
      }
    }
  }
}

TYPED_TEST(RandomValues, LogAndCircleAreAccurate) {
  using T = TypeParam;
  const double ulp = sizeof(T) == 4 ? 0x1p-23 : 0x1p-52;
  for (uint64_t i = 0; i < 100000; ++i) {
    const T v = uniform_at<T>(3, 0, i), u = std::max(v * v * v, T(0x1p-40));
    const double log = std::log(static_cast<double>(u));
    EXPECT_NEAR(detail::log_of(u), log, 3 * ulp * std::abs(log) + 1e-30);
    const double angle = 2 * std::numbers::pi * static_cast<double>(v);
    const auto point = detail::unit_circle(v);
    EXPECT_NEAR(point.value[0], std::cos(angle), 4 * ulp);
    EXPECT_NEAR(point.value[1], std::sin(angle), 4 * ulp);
  }
}

TYPED_TEST(RandomValues, SameBitsForAnyNumberOfThreads) {
  const auto fill = [](int threads) {
    const int before = num_threads();
    set_num_threads(threads);
    std::vector<TypeParam> values(10001);
    parallel_for(10001, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        values[static_cast<size_t>(i)] = normal_at<TypeParam>(5, 0, static_cast<uint64_t>(i));
      }
    });
    set_num_threads(before);
    return values;
  };
  EXPECT_EQ(fill(1), fill(4));
}

TEST(Generator, RangesNeverOverlap) {
  Generator generator(9);
  EXPECT_EQ(generator.seed(), 9U);
  EXPECT_EQ(generator.reserve(5), 0U);  // five doubles take three blocks
  EXPECT_EQ(generator.reserve(0), 3U);
  EXPECT_EQ(generator.reserve(2), 3U);
  EXPECT_EQ(generator.offset(), 4U);
  EXPECT_EQ(generator.reserve(UINT64_MAX), 4U);
}

TEST(Generator, SeedingStartsOver) {
  Generator& generator = default_generator();
  manual_seed(42);
  const uint64_t first = generator.reserve(10), second = generator.reserve(10);
  EXPECT_NE(first, second);
  manual_seed(42);
  EXPECT_EQ(generator.seed(), 42U);
  EXPECT_EQ(generator.reserve(10), first);
  generator.manual_seed(42, second);
  EXPECT_EQ(generator.reserve(10), second);
  manual_seed(0);
}

TEST(Generator, ThreadsGetDifferentRanges) {
  Generator generator;
  std::vector<std::vector<uint64_t>> got(4);
  std::vector<std::thread> threads;
  for (auto& mine : got) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) mine.push_back(generator.reserve(3));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> all;
  for (const auto& mine : got) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 4000U);
  EXPECT_EQ(generator.offset(), 8000U);
}

}  // namespace
}  // namespace reprise
