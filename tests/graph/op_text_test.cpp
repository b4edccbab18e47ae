// Every op from its own text, whatever its attributes are. op_list.inc is written by the build:
// REPRISE_OP(T) for every op struct in core/ops/, so that an op that parse_op does not know fails.

#include "../../graph/op_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "../../core/model.h"
#include "../../core/ops/cat.h"
#include "../../core/ops/conv.h"
#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/foreach.h"
#include "../../core/ops/fused.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/fused_loss.h"
#include "../../core/ops/fused_norm.h"
#include "../../core/ops/fused_pool.h"
#include "../../core/ops/host_call.h"
#include "../../core/ops/index.h"
#include "../../core/ops/matmul.h"
#include "../../core/ops/memory_format.h"
#include "../../core/ops/norm.h"
#include "../../core/ops/pool.h"
#include "../../core/ops/random.h"
#include "../../core/ops/reduce.h"
#include "../../core/ops/scaling.h"
#include "../../core/ops/softmax.h"
#include "../../core/ops/transfer.h"
#include "../../core/ops/update.h"
#include "../../core/ops/view.h"
#include "../../graph/graph.h"
#include "../core/expect.h"

namespace reprise {
namespace {

using test::expect_error;

/// Draws values for attributes, odd ones among them.
class Odd {
 public:
  explicit Odd(uint64_t seed) : random_(seed) {}

  void draw(bool& v) { v = below(2) == 1; }
  void draw(int& v) { v = one_of<int>({0, 1, -7, INT32_MAX, INT32_MIN}); }
  void draw(int64_t& v) { v = one_of<int64_t>({0, 3, -1, int64_t{1} << 40, -(int64_t{1} << 40)}); }
  void draw(uint64_t& v) { v = one_of<uint64_t>({0, 5, UINT64_MAX, uint64_t{1} << 63}); }
  void draw(double& v) {
    using L = std::numeric_limits<double>;
    v = one_of({0.0, -0.0, 1.0, 0.1, -1e-5, 1e22, 123456789.0, L::infinity(), -L::infinity(),
                L::quiet_NaN(), L::denorm_min(), L::max(), L::min(), std::nextafter(1.0, 2.0)});
    if (below(3) == 0) v = std::bit_cast<double>(random_());
    if (std::isnan(v)) v = std::copysign(L::quiet_NaN(), v);  // text has no payload
  }
  void draw(Scalar& v) {
    double real = 0;
    draw(real);
    v = one_of<Scalar>({true, false, 0, -3, INT64_MAX, INT64_MIN, 2.0, real});
  }
  void draw(Pair& v) { v = one_of<Pair>({0, 1, {2, 3}, {-1, INT32_MAX}}); }
  void draw(Shape& v) { v = one_of<Shape>({{}, {0}, {3, -1}, {1, 2, 3, 4, 5, 6, 7, 8}}); }
  void draw(DType& v) { v = static_cast<DType>(below(kDTypeCount)); }
  void draw(Device& v) { v = one_of({Device::cpu(), Device::meta(), Device::cuda(3)}); }
  void draw(Activation& v) { v = static_cast<Activation>(below(6)); }
  void draw(MemoryFormat& v) { v = one_of({contiguous_format, channels_last}); }
  void draw(FusedStep& v) {
    v.op = one_of<OpRef>({make_ref<const Model<Add>>(Add{}), make_ref<const Model<Where>>(Where{}),
                          make_ref<const Model<Copy>>(Copy{bool_})});
    v.in = one_of<SmallVector<int64_t, 3>>({{0}, {1, 31}, {2, 0, 2}});
  }
  template <class T>
  void draw(std::vector<T>& v) {
    v.resize(below(4));
    for (T& item : v) draw(item);
  }

 private:
  size_t below(size_t n) { return random_() % n; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }

  std::mt19937_64 random_;
};

template <Op T>
void expect_round_trips() {
  const auto names = detail::op_names();
  EXPECT_TRUE(std::ranges::binary_search(names, T::name)) << T::name << " is not in graph/op_text";
  Odd odd(7);
  for (int i = 0; i < 100; ++i) {
    T op{};
    if constexpr (requires { op.tie(); }) {
      const auto draw = [&]<class A>(const Attr<A>& a) { odd.draw(const_cast<A&>(a.value)); };
      std::apply([&](const auto&... attributes) { (draw(attributes), ...); }, op.tie());
    }
    const Model<T> model(op);
    const OpRef read = parse_op(model.text());
    EXPECT_TRUE(read->equals(model)) << model.text() << "\nwas read as\n" << read->text();
    EXPECT_EQ(read->text(), model.text());
  }
}

/// But for one: a C++ function cannot be written down.
template <>
void expect_round_trips<HostCall>() {
  EXPECT_THROW((void)parse_op(Model(HostCall{}).text()), Error);
}

TEST(OpText, ReadsEveryOpBack) {
#define REPRISE_OP(T) expect_round_trips<T>();
#include "op_list.inc"
#undef REPRISE_OP
  expect_round_trips<After>();
}

TEST(OpText, KnowsNoOpTwice) {
  const auto names = detail::op_names();
  EXPECT_TRUE(std::ranges::is_sorted(names, std::less_equal()));
}

TEST(OpText, ReadsAttributes) {
  const OpRef op = parse_op("full {shape=[2, None], value=-0.0, dtype=int32, device=cuda:1}");
  const Full* full = as<Full>(*op);
  ASSERT_NE(full, nullptr);
  EXPECT_EQ(full->shape, (Shape{2, kUnknown}));
  EXPECT_EQ(full->value, Scalar(-0.0));
  EXPECT_FALSE(full->value == Scalar(0.0));
  EXPECT_EQ(full->dtype, int32);
  EXPECT_EQ(full->device, Device::cuda(1));
}

TEST(OpText, KeepsTheKindOfANumber) {
  EXPECT_EQ(to_string(Scalar(3)), "3");
  EXPECT_EQ(to_string(Scalar(3.0)), "3.0");
  EXPECT_EQ(to_string(Scalar(true)), "true");
  EXPECT_EQ(to_string(Scalar(1e300)), "1e+300");
}

TEST(OpText, SaysWhatItExpected) {
  const auto expect = [](const std::string& text, const std::string& part) {
    expect_error([&] { parse_op(text); }, ErrorKind::Format, {part});
  };
  expect("", "column 1: expected the name of an op, got the end of the text");
  expect("host_call", "host_call is not the name of an op that has a text");
  expect("softmax", "expected '{'");
  expect("softmax {}", "column 10: expected the attribute dim, got '}'");
  expect("softmax {dim=1.5}", "expected a whole number in [-2147483648, 2147483647], got '1.5'");
  expect("softmax {dim=3000000000}", "got '3000000000'");
  expect("softmax {dim=1", "expected '}', got the end of the text");
  expect("softmax {dim=1} {", "expected the end of the text, got '{'");
  expect("copy {dtype=float8}", "expected one of float32, float64");
  expect("dropout {p=1e999}", "a number that fits a float64");
  expect("sum {dims=[1, 2, 3, 4, 5, 6, 7, 8, 9], keepdim=true}", "at most 8 sizes");
  expect("sum {dims=[1], keepdim=1}", "expected true or false, got '1'");
  expect("view {shape=[2000000000000]}", "a whole number in [-1099511627776");
  expect("fused {steps=[conv2d(0)], results=[]}", "column 15: conv2d is not elementwise");
  expect("fused {steps=[fused {steps=[", "column 15: fused is not elementwise");
}

}  // namespace
}  // namespace reprise
