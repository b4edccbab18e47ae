// The elementwise family on the device against the CPU: every op and dtype, and the map around
// them on sizes around packs and blocks and in many layouts.

#include "../../../core/ops/elementwise.h"

#include "../../core/expect.h"
#include "device_testing.h"

namespace reprise::op_testing {
namespace {

using CudaElementwise = OnDevice;

/// How far results of the device's mathematical functions and the CPU's may be apart.
template <class T>
constexpr double kUlps = 0;
template <>
constexpr double kUlps<Exp> = 4;
template <>
constexpr double kUlps<Log> = 4;
template <>
constexpr double kUlps<Tanh> = 6;
template <>
constexpr double kUlps<Sigmoid> = 6;
// In the tail of an approximation its argument is large and rounded.
template <>
constexpr double kUlps<Gelu> = 8;
template <>
constexpr double kUlps<GeluTanh> = 512;
template <>
constexpr double kUlps<GeluGrad> = 64;
template <>
constexpr double kUlps<GeluTanhGrad> = 512;
template <>
constexpr double kUlps<Pow> = 64;

template <class Op>
Tensors operands_of(const Op&, const Shape& shape, DType dtype) {
  Tensors in;
  for (uint64_t k = 0; k < Op::arity; ++k) in.push_back(any_values(shape, dtype, 1 + k));
  if constexpr (std::is_same_v<Op, Where>) in[0] = any_values(shape, bool_, 1);
  if constexpr (std::is_same_v<Op, Remainder>) {
    if (!is_floating_point(dtype)) in[1] = where(in[1] == 0, 5, in[1]).to(dtype);
  }
  return in;
}

template <class Op>
bool takes(DType dtype) {
  return Op::domain == Domain::all || is_floating_point(dtype) ||
         (Op::domain == Domain::numeric && dtype != bool_);
}

template <class Op>
void expect_op() {
  for (const DType dtype : {float32, float64, int64, int32, uint8, bool_}) {
    if (!takes<Op>(dtype)) continue;
    for (const Shape& shape : {Shape{1037}, Shape{16, 70}}) {
      const Tensors in = operands_of(Op{}, shape, dtype);
      for (const auto& layouts : {std::vector<size_t>{0, 0, 0}, std::vector<size_t>{3, 2, 0}}) {
        expect_op_alike(Op{}, in, layouts, kUlps<Op>);
      }
    }
  }
}

TEST_F(CudaElementwise, EveryOpOnEveryDType) {
#define REPRISE_EXPECT(Op) expect_op<Op>();
  REPRISE_ELEMENTWISE_OPS(REPRISE_EXPECT)
#undef REPRISE_EXPECT
}

TEST_F(CudaElementwise, AnySizeInAnyLayout) {
  const std::vector<Shape> shapes{
      {1},         {3},        {4},       {5},           {8},
      {4099},      {16384},    {7, 33},   {64, 48},      {5, 1, 7},
      {3, 40, 64}, {9, 17, 8}, {300, 20}, {2, 8, 16, 8}, {2, 3, 2, 2, 1, 2, 3}};
  for (const Shape& shape : shapes) {
    for (const DType dtype : {float32, float64, uint8}) {
      const Tensors in = operands_of(Lt{}, shape, dtype);
      for (size_t a = 0; a < kLayouts.size(); ++a) {
        const size_t b = (a + shape.size() + static_cast<size_t>(dtype)) % kLayouts.size();
        expect_op_alike(Sub{}, in, {a, b});
        expect_op_alike(Sub{}, in, {a, a});
        expect_op_alike(Lt{}, in, {0, a});
      }
      expect_op_alike(Where{}, operands_of(Where{}, shape, dtype),
                      {shape.size() % kLayouts.size(), 6, 5});
    }
  }
}

TEST_F(CudaElementwise, SoManyThatBlocksAreLarge) {
  const Tensors in = operands_of(Mul{}, {270001}, float32);
  expect_op_alike(Mul{}, in, {0, 0});
  expect_op_alike(Mul{}, in, {1, 0});
}

TEST_F(CudaElementwise, EmptyAndScalar) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 0, 2}}) {
    expect_op_alike(Add{}, operands_of(Add{}, shape, float32), {0, 0});
    expect_op_alike(Neg{}, operands_of(Neg{}, shape, int64), {0});
  }
}

TEST_F(CudaElementwise, WritesIntoAnyView) {
  for (const LayoutCase& layout : kLayouts) {
    if (layout.name.substr(0, 3) == "one") continue;  // elements that are one cannot be written
    SCOPED_TRACE(layout.name);
    const Tensor x = any_values({24, 40}, float32, 1), y = any_values({24, 40}, float32, 2);
    Tensor here = layout.of(x.clone()), there = layout.of(x.cuda());
    here.mul_(y).sub_(here);
    there.mul_(y.cuda()).sub_(there);
    expect_alike(there, here);
    here.fill_(2.5);
    there.fill_(2.5);
    expect_alike(there, here);
  }
}

TEST_F(CudaElementwise, LeavesNeighboursAlone) {
  Tensor here = any_values({31, 9}, int32, 1), there = here.cuda();
  for (Tensor* x : {&here, &there}) {
    x->slice(0, 2, 29, 3).slice(1, 1, 6).add_(7);
    x->slice(1, 7).mul_(3);
    x->select(1, 0).fill_(-1);
  }
  expect_alike(there, here);
}

/// Known before the kernel runs.
TEST_F(CudaElementwise, IntegersModuloTheNumberZeroAreRefused) {
  for (const Device device : {Device::cpu(), Device::cuda()}) {
    const auto refused = [](const auto& f) {
      test::expect_error(f, ErrorKind::Value,
                         {"remainder: expected integer divisors other than 0, got a 0"});
    };
    Tensor x = tensor({5, 6}).to(device), bytes = x.to(uint8);
    const Tensor zero = tensor(0), none = zeros({0}, {.dtype = int64, .device = device});
    refused([&] { x % 0; });
    refused([&] { x % zero; });
    refused([&] { x %= 0; });
    refused([&] { x %= zero; });
    refused([&] { (x > 5) % false; });
    refused([&] { bytes % 256; });
    refused([&] { bytes %= tensor(256); });
    test::expect_tensor(x, tensor({5, 6}));
    EXPECT_EQ((none % 0).numel() + (none % zero).numel(), 0);
    test::expect_tensor(x % 4 % tensor(2), tensor({1, 0}));
    EXPECT_TRUE(std::isnan((x.to(float32) % 0)[0].item<float>()));
    EXPECT_TRUE(std::isnan((x % 0.0)[0].item<float>()));
  }
}

/// A kernel cannot throw, and nobody waits for it: the CPU refuses such divisors.
TEST_F(CudaElementwise, IntegersModuloZeroAreZero) {
  for (const DType dtype : {int64, int32, uint8}) {
    const Tensor x = tensor({5, 0, 7}).to(dtype), by = tensor({0, 0, 4}).to(dtype);
    expect_alike(remainder(x.cuda(), by.cuda()), tensor({0, 0, 3}).to(dtype));
  }
}

}  // namespace
}  // namespace reprise::op_testing
