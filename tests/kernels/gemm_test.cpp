#include "../../kernels/cpu/gemm.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "gemm_reference.h"
#include "kernel_testing.h"

namespace reprise::cpu {
namespace {

enum class Layout { plain, transposed, spread };  // spread: no stride is 1

struct Case {
  int64_t m, n, k;
  Layout a = Layout::plain, b = Layout::plain;
  bool accumulate = false, row_bias = false, column_bias = false;
};

// Operands with guards: C lies in rows three elements wider than needed.
template <class T>
struct Operands {
  std::vector<T> a, b, c, row_bias, column_bias;
  Gemm<T> p;

  explicit Operands(const Case& t)
      : a(random_values<T>(2 * t.m * t.k + 1, 1)),
        b(random_values<T>(2 * t.k * t.n + 1, 2)),
        c(random_values<T>(t.m * (t.n + 3), 3)),
        row_bias(random_values<T>(t.m, 4)),
        column_bias(random_values<T>(t.n, 5)) {
    p = {.m = t.m,
         .n = t.n,
         .k = t.k,
         .a = a.data(),
         .b = b.data(),
         .c = c.data(),
         .c_row = t.n + 3,
         .accumulate = t.accumulate,
         .row_bias = t.row_bias ? row_bias.data() : nullptr,
         .column_bias = t.column_bias ? column_bias.data() : nullptr};
    set_strides(t.a, t.m, t.k, p.a_row, p.a_column);
    set_strides(t.b, t.k, t.n, p.b_row, p.b_column);
  }
  static void set_strides(Layout layout, int64_t rows, int64_t columns, int64_t& row,
                          int64_t& column) {
    row = layout == Layout::transposed ? 1 : layout == Layout::plain ? columns : 2 * columns;
    column = layout == Layout::transposed ? rows : layout == Layout::plain ? 1 : 2;
  }
};

template <class T>
void check_gemm(const Case& t, Isa level) {
  SCOPED_TRACE(testing::Message() << t.m << "x" << t.n << "x" << t.k << " layouts " << int(t.a)
                                  << int(t.b) << " level " << int(level) << " size " << sizeof(T));
  Operands<T> mine(t), reference(t);
  const Bytes workspace(gemm_workspace<T>(t.m, t.n, t.k));
  gemm(mine.p, workspace.data(), level);
  gemm_reference(reference.p);
  const double tolerance = std::numeric_limits<T>::epsilon() * (4 + double(t.k));
  for (size_t i = 0; i < mine.c.size(); ++i) {
    ASSERT_NEAR(mine.c[i], reference.c[i], tolerance) << "at " << i;
  }
}

void check_everywhere(const Case& t) {
  for (const Isa level : testable_levels()) {
    check_gemm<float>(t, level);
    check_gemm<double>(t, level);
  }
}

TEST(Gemm, SmallSizesOfAllRemainders) {
  for (int64_t m : {1, 2, 3, 4, 5, 7, 13, 14, 15, 29}) {
    for (int64_t n : {1, 2, 3, 4, 8, 15, 16, 17, 31, 33, 49}) {
      for (int64_t k : {1, 2, 5, 17}) check_everywhere({m, n, k});
    }
  }
}

TEST(Gemm, AllTinySizesAndLayouts) {
  constexpr std::array layouts{Layout::plain, Layout::transposed, Layout::spread};
  for (int64_t i = 0; i < 10 * 10 * 10 * 9; ++i) {
    const int64_t m = i % 10, n = i / 10 % 10, k = i / 100 % 10, flags = m + 3 * n + 5 * k;
    const Layout a = layouts[static_cast<size_t>(i / 1000 % 3)];
    const Layout b = layouts[static_cast<size_t>(i / 3000)];
    check_everywhere({m, n, k, a, b, flags % 2 == 0, flags % 3 == 0, flags % 4 < 2});
  }
}

TEST(Gemm, TheLargestTinySizes) {
  for (const Layout b : {Layout::plain, Layout::transposed, Layout::spread}) {
    for (int64_t m : {14, 15, 32, 33}) {
      for (int64_t n : {15, 16, 17}) {
        for (int64_t k : {15, 16, 17}) check_everywhere({m, n, k, b, b, n == 15, n == 16, true});
      }
    }
  }
}

// So that a batch may be cut: a row has the bits that it has among others.
TEST(Gemm, TinyRowsHaveTheBitsOfLargerProducts) {
  for (const Isa level : testable_levels()) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{4, 4}, {9, 3}, {16, 16}}) {
      Operands<float> few({4, n, k}), many({40, n, k});
      few.p.b = many.p.b;
      few.p.a = many.p.a;
      const Bytes workspace(gemm_workspace<float>(40, n, k));
      gemm(few.p, workspace.data(), level);
      gemm(many.p, workspace.data(), level);
      for (int64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(std::memcmp(few.p.c + i * (n + 3), many.p.c + i * (n + 3),
                              static_cast<size_t>(n) * sizeof(float)),
                  0);
      }
    }
  }
}

TEST(Gemm, EmptySizes) {
  check_everywhere({0, 4, 4});
  check_everywhere({4, 0, 4});
  check_everywhere({0, 0, 0});
  for (int64_t n : {1, 5, 40, 200}) {
    check_everywhere({60, n, 0});
    check_everywhere({3, n, 0, Layout::plain, Layout::transposed, true, true, true});
  }
}

TEST(Gemm, AllLayoutsAndBiases) {
  for (const Layout a : {Layout::plain, Layout::transposed, Layout::spread}) {
    for (const Layout b : {Layout::plain, Layout::transposed, Layout::spread}) {
      for (int flags = 0; flags < 8; ++flags) {
        const bool x = flags & 1, y = flags & 2, z = flags & 4;
        for (const auto& [m, n, k] : {std::array<int64_t, 3>{5, 7, 9},
                                      {1, 40, 33},
                                      {40, 1, 33},
                                      {3, 50, 64},
                                      {37, 101, 21},
                                      {70, 130, 40}}) {
          check_everywhere({m, n, k, a, b, x, y, z});
        }
      }
    }
  }
}

TEST(Gemm, SeveralPassesAndSlices) {
  for (const Layout layout : {Layout::plain, Layout::transposed}) {
    check_everywhere({65, 129, 700, layout, layout, true, true, true});
    check_everywhere({300, 200, 150, layout, layout, false, true, true});
    check_everywhere({3, 200, 1500, layout, layout, true, true, true});
    check_everywhere({200, 2, 1500, layout, layout, true, true, true});
  }
  check_gemm<float>({20, 9000, 310, Layout::plain, Layout::transposed}, isa());
}

TEST(Gemm, ContiguousColumnOfC) {
  for (const Layout a : {Layout::plain, Layout::transposed}) {
    Operands<float> mine({400, 1, 300, a}), reference({400, 1, 300, a});
    mine.p.c_row = reference.p.c_row = 1;
    mine.p.row_bias = reference.p.row_bias = mine.row_bias.data();
    const Bytes workspace(gemm_workspace<float>(400, 1, 300));
    gemm(mine.p, workspace.data());
    gemm_reference(reference.p);
    for (size_t i = 0; i < mine.c.size(); ++i) ASSERT_NEAR(mine.c[i], reference.c[i], 3e-5);
  }
}

TEST(Gemm, StridesOfZeroAndBelow) {
  Operands<float> mine({20, 40, 30}), reference({20, 40, 30});
  for (Operands<float>* o : {&mine, &reference}) {
    o->p.a += 19 * 30;
    o->p.a_row = -30;
    o->p.b_row = 0;
  }
  const Bytes workspace(gemm_workspace<float>(20, 40, 30));
  gemm(mine.p, workspace.data());
  gemm_reference(reference.p);
  for (size_t i = 0; i < mine.c.size(); ++i) ASSERT_NEAR(mine.c[i], reference.c[i], 1e-5);
}

TEST(Gemm, ReadsNothingOfCUnlessAccumulating) {
  Operands<float> mine({30, 40, 20});
  std::fill(mine.c.begin(), mine.c.end(), std::nanf(""));
  const Bytes workspace(gemm_workspace<float>(30, 40, 20));
  gemm(mine.p, workspace.data());
  for (int64_t i = 0; i < 30 * 43; ++i) {
    ASSERT_EQ(std::isnan(mine.c[static_cast<size_t>(i)]), i % 43 >= 40) << i;
  }
}

template <class T>
std::vector<T> with_threads(int threads, const Case& t, Isa level) {
  const WithThreads guard(threads);
  Operands<T> o(t);
  const Bytes workspace(gemm_workspace<T>(t.m, t.n, t.k));
  gemm(o.p, workspace.data(), level);
  return o.c;
}

TEST(Gemm, SameBitsForAnyNumberOfThreads) {
  for (const Isa level : testable_levels()) {
    for (const Case& t : {Case{300, 300, 300},
                          {64, 784, 288},
                          {1, 3000, 700},
                          {3000, 1, 700},
                          {500, 64, 900, Layout::transposed, Layout::transposed}}) {
      EXPECT_EQ(with_threads<float>(1, t, level), with_threads<float>(2, t, level));
      EXPECT_EQ(with_threads<double>(1, t, level), with_threads<double>(3, t, level));
    }
  }
}

template <class T>
void check_batch(int64_t count, int64_t m, int64_t n, int64_t k, Isa level) {
  const auto a = random_values<T>(count * m * k, 1), b = random_values<T>(k * n, 2);
  std::vector<T> c(static_cast<size_t>(count * m * n)), expected = c;
  const Bytes workspace(gemm_workspace<T>(m, n, k));
  Gemm<T> p{.m = m,
            .n = n,
            .k = k,
            .a = a.data(),
            .a_row = k,
            .a_column = 1,
            .b = b.data(),
            .b_row = n,
            .b_column = 1,
            .c = c.data(),
            .c_row = n};
  gemm_batch(p, {.count = count, .a_step = m * k, .b_step = 0, .c_step = m * n}, workspace.data(),
             level);
  for (int64_t i = 0; i < count; ++i) {
    p.a = a.data() + i * m * k;
    p.c = expected.data() + i * m * n;
    gemm(p, workspace.data(), level);
  }
  EXPECT_EQ(c, expected);
}

TEST(Gemm, BatchEqualsItsParts) {
  for (const Isa level : testable_levels()) {
    check_batch<float>(17, 4, 4, 4, level);
    check_batch<double>(33, 20, 30, 10, level);
    check_batch<float>(3, 200, 200, 200, level);
    check_batch<float>(0, 4, 4, 4, level);
  }
}

TEST(Isa, PicksNoMoreThanTheMachineHas) { EXPECT_LE(isa(), machine_isa()); }

}  // namespace
}  // namespace reprise::cpu
