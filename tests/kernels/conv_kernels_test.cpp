#include "../../kernels/cpu/conv_kernels.h"

#include <limits>

#include "conv_reference.h"
#include "kernel_testing.h"

namespace reprise::cpu {
namespace {

std::string text_of(const ConvShape& s) {
  std::string text;
  for (int64_t v :
       {s.batch, s.in_channels, s.height, s.width, s.out_channels, s.kernel_h, s.kernel_w,
        s.stride_h, s.stride_w, s.pad_h, s.pad_w, s.dilation_h, s.dilation_w, s.groups}) {
    text += std::to_string(v) + " ";
  }
  return text;
}

int64_t count_x(const ConvShape& s) { return s.batch * s.in_channels * s.height * s.width; }
int64_t count_y(const ConvShape& s) { return s.batch * s.out_channels * s.out_h() * s.out_w(); }
int64_t count_weight(const ConvShape& s) {
  return s.out_channels * (s.in_channels / s.groups) * s.kernel_h * s.kernel_w;
}

template <class T>
struct Problem {
  ConvShape s;
  std::vector<T> x = random_values<T>(count_x(s), 1), weight = random_values<T>(count_weight(s), 2);
  std::vector<T> bias = random_values<T>(s.out_channels, 3), gy = random_values<T>(count_y(s), 4);

  std::vector<T> forward(Isa level, bool with_bias) const {
    std::vector<T> y(gy.size(), T(77));
    const Bytes workspace(conv2d_workspace<T>(s));
    conv2d(s, x.data(), weight.data(), with_bias ? bias.data() : nullptr, y.data(),
           workspace.data(), level);
    return y;
  }
  std::vector<T> grad_input(Isa level) const {
    std::vector<T> gx(x.size(), T(77));
    const Bytes workspace(conv2d_grad_input_workspace<T>(s));
    conv2d_grad_input(s, gy.data(), weight.data(), gx.data(), workspace.data(), level);
    return gx;
  }
  std::vector<T> grad_weight(Isa level) const {
    std::vector<T> gw(weight.size(), T(77));
    const Bytes workspace(conv2d_grad_weight_workspace<T>(s));
    conv2d_grad_weight(s, x.data(), gy.data(), gw.data(), workspace.data(), level);
    return gw;
  }
};

// `terms` products of values below 1 in each sum.
template <class T>
void expect_near(const std::vector<T>& got, const std::vector<double>& expected, int64_t terms,
                 const char* what) {
  ASSERT_EQ(got.size(), expected.size());
  const double tolerance = std::numeric_limits<T>::epsilon() * (8 + double(terms));
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance) << what << " at " << i;
}

template <class T>
void check_conv(const ConvShape& s) {
  const Problem<T> p{s};
  const auto y = conv2d_reference(s, p.x.data(), p.weight.data(), p.bias.data());
  const auto bare = conv2d_reference<T>(s, p.x.data(), p.weight.data(), nullptr);
  const auto gx = conv2d_grad_input_reference(s, p.gy.data(), p.weight.data());
  const auto gw = conv2d_grad_weight_reference(s, p.x.data(), p.gy.data());
  const int64_t taps = s.kernel_h * s.kernel_w, pixels = s.batch * s.out_h() * s.out_w();
  for (const Isa level : testable_levels()) {
    SCOPED_TRACE(testing::Message()
                 << text_of(s) << "level " << int(level) << " size " << sizeof(T));
    expect_near(p.forward(level, true), y, taps * s.in_channels / s.groups, "forward");
    expect_near(p.forward(level, false), bare, taps * s.in_channels / s.groups,
                "forward without bias");
    expect_near(p.grad_input(level), gx, taps * s.out_channels / s.groups, "gradient of the input");
    expect_near(p.grad_weight(level), gw, pixels, "gradient of the weight");
  }
}

void check_both(const ConvShape& s) {
  check_conv<float>(s);
  check_conv<double>(s);
}

TEST(ConvKernels, LayersOfTheToyResNet) {
  check_both({2, 3, 32, 32, 32, 3, 3});
  check_both({1, 32, 30, 30, 64, 3, 3});
  check_both({3, 64, 9, 9, 64, 3, 3, 1, 1, 1, 1});
  check_both({2, 64, 9, 9, 64, 3, 3});
}

TEST(ConvKernels, ChannelsOfAllRemainders) {
  for (int64_t in : {1, 3, 8, 9, 17, 33}) {
    for (int64_t out : {1, 4, 5, 15, 16, 17, 31, 33})
      check_both({2, in, 7, 8, out, 3, 3, 1, 1, 1, 1});
  }
}

TEST(ConvKernels, WidthsOfAllRemainders) {
  for (int64_t width = 3; width < 36; ++width) check_both({1, 8, 4, width, 6, 3, 3});
  check_both({1, 8, 3, 200, 6, 3, 3, 1, 1, 1, 1});
}

TEST(ConvKernels, StridesPaddingsDilations) {
  for (int64_t stride : {1, 2, 3}) {
    for (int64_t pad : {0, 1, 2, 4}) {
      for (int64_t dilation : {1, 2}) {
        check_both({2, 9, 11, 13, 10, 3, 2, stride, stride, pad, pad, dilation, dilation});
        check_both({1, 8, 12, 14, 6, 2, 5, stride, 1, 0, pad, 1, dilation});
        check_both({1, 8, 12, 14, 6, 3, 3, 1, stride, pad, 0, dilation, 1});
      }
    }
  }
}

TEST(ConvKernels, KernelsOfOnePixelAndOfTheWholeImage) {
  check_both({2, 12, 6, 7, 18, 1, 1});
  check_both({2, 12, 6, 7, 18, 1, 1, 2, 2});
  check_both({2, 12, 6, 7, 18, 1, 1, 1, 1, 1, 1});
  check_both({3, 12, 6, 7, 18, 6, 7});
  check_both({2, 8, 3, 3, 8, 5, 5, 1, 1, 2, 2});
  check_both({1, 8, 1, 1, 8, 3, 3, 1, 1, 3, 3});
}

TEST(ConvKernels, Groups) {
  check_both({2, 8, 9, 9, 8, 3, 3, 1, 1, 1, 1, 1, 1, 8});
  check_both({2, 8, 9, 9, 16, 3, 3, 2, 2, 1, 1, 1, 1, 4});
  check_both({2, 64, 5, 9, 32, 3, 3, 1, 1, 1, 1, 1, 1, 2});
}

TEST(ConvKernels, EmptySizes) {
  check_both({0, 8, 9, 9, 8, 3, 3});
  check_both({2, 0, 9, 9, 8, 3, 3});
  check_both({2, 8, 9, 9, 0, 3, 3});
  check_both({0, 3, 9, 9, 2, 3, 3, 2, 2, 1, 1});
}

TEST(ConvKernels, ManySlotsOfPatches) {
  check_both({37, 2, 6, 6, 3, 3, 3});
  check_both({5, 2, 20, 20, 2, 3, 3, 2, 2, 1, 1, 1, 1, 2});
}

template <class T>
std::vector<std::vector<T>> with_threads(int threads, const ConvShape& s, Isa level) {
  const WithThreads guard(threads);
  const Problem<T> p{s};
  return {p.forward(level, true), p.grad_input(level), p.grad_weight(level)};
}

TEST(ConvKernels, SameBitsForAnyNumberOfThreads) {
  for (const Isa level : testable_levels()) {
    for (const ConvShape& s : {ConvShape{9, 3, 32, 32, 32, 3, 3},
                               {3, 32, 30, 30, 64, 3, 3},
                               {17, 64, 9, 9, 64, 3, 3, 1, 1, 1, 1},
                               {6, 16, 20, 20, 24, 3, 3, 2, 2, 1, 1},
                               {5, 16, 20, 20, 16, 3, 3, 1, 1, 1, 1, 1, 1, 16}}) {
      EXPECT_EQ(with_threads<float>(1, s, level), with_threads<float>(2, s, level));
      EXPECT_EQ(with_threads<double>(1, s, level), with_threads<double>(3, s, level));
    }
  }
}

}  // namespace
}  // namespace reprise::cpu
