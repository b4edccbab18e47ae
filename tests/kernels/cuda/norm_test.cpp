// Batch normalisation on the device: channels of every length, in one part and in several, far from
// zero, and the statistics that are updated in place.

#include "../norm_testing.h"
#include "device_testing.h"

namespace reprise::op_testing {
namespace {

class CudaNorm : public OnDevice {};

const Shape kShapes[] = {{2, 1},     {300, 3},     {70, 8},      {4, 3, 5},      {33, 2, 4, 4},
                         {2, 3, 40}, {3, 1, 5000}, {600, 3, 16}, {130, 2, 3, 3}, {2, 0, 3}};

Tensors operands(const Shape& shape, DType dtype, double offset) {
  const Shape c{shape[1]};
  return {sample(shape, dtype) + offset, sample(c, dtype, 2),     sample(c, dtype, 3),
          sample(c, dtype, 4),           sample(c, dtype, 5) + 2, full({}, 4, {.dtype = int64})};
}

/// Outputs and the operands that are updated.
Tensors run(const BatchNorm& op, Tensors in, bool on_device) {
  const NoGradGuard no_grad;
  for (Tensor& x : in) x = on_device ? x.cuda() : x.clone();
  Tensors out = dispatch(Model(op), in);
  for (size_t k = 3; k < 6; ++k) out.push_back(in[k]);
  for (Tensor& x : out) x = x.cpu();
  return out;
}

TEST_F(CudaNorm, MatchesTheCpu) {
  for (const Shape& shape : kShapes) {
    for (const DType dtype : {float32, float64}) {
      for (const double offset : {0.0, 1000.0}) {
        for (const double momentum : {0.1, -1.0}) {
          SCOPED_TRACE(testing::Message() << to_string(shape) << " + " << offset);
          const Tensors in = operands(shape, dtype, offset);
          const BatchNorm op{momentum, 1e-5};
          const Tensors got = run(op, in, true), expected = run(op, in, false);
          for (size_t k = 0; k < got.size(); ++k) {
            expect_close(got[k], array_of(expected[k]), dtype == float32 ? 5e-6 : 1e-12);
          }
        }
      }
    }
  }
}

/// Vectors are of 16 bits, too, or wider than x.
TEST_F(CudaNorm, TakesElementsOf16Bits) {
  for (const Shape& shape : kShapes) {
    for (const DType dtype : {float16, bfloat16}) {
      for (const bool wide : {false, true}) {
        Tensors in = float_operands(operands(shape, float32, 3), float32, dtype);
        const Tensors exact = run({}, float_operands(in, dtype, float32), false);
        for (size_t k = 1; wide && k < 5; ++k) in[k] = in[k].to(float32);
        const Tensors got = run({}, in, true);
        for (size_t k = 0; k < got.size(); ++k) expect_rounded(got[k], exact[k], 5e-6);
      }
    }
    const Shape c{shape[1]};
    expect_op_in_16_bits(BatchNormGrad{},
                         {sample(shape, float32, 8), sample(shape), sample(c, float32, 2),
                          sample(c, float32, 3), sample(c, float32, 4)},
                         1e-5);
  }
}

TEST_F(CudaNorm, GradientMatchesTheCpu) {
  for (const Shape& shape : kShapes) {
    for (const DType dtype : {float32, float64}) {
      const Shape c{shape[1]};
      const Tensor gy = sample(shape, dtype, 8);
      const Tensors in{gy, sample(shape, dtype) + 30, sample(c, dtype, 2), sample(c, dtype, 3) + 30,
                       sample(c, dtype, 4)};
      expect_op_on_device(BatchNormGrad{}, in, dtype == float32 ? 5e-6 : 1e-13);
    }
  }
}

/// Channels-last images are rows of channels, on either device.
TEST_F(CudaNorm, TakesChannelsLast) {
  for (const Shape& shape : {Shape{33, 2, 4, 4}, Shape{8, 64, 9, 9}, Shape{4, 37, 30, 30}}) {
    const Tensors in = operands(shape, float32, 3);
    Tensors last = in;
    last[0] = in[0].to(channels_last);
    const Tensors expected = run({}, in, false);
    Tensors gradient{sample(shape, float32, 8), in[0], in[1], expected[1], expected[2]};
    const Tensors gradients = dispatch(Model(BatchNormGrad{}), gradient);
    for (size_t k = 0; k < 2; ++k) gradient[k] = gradient[k].to(channels_last);
    for (const bool on_device : {false, true}) {
      SCOPED_TRACE(testing::Message() << to_string(shape) << on_device);
      const Tensors got = run({}, last, on_device);
      EXPECT_TRUE(got[0].is_contiguous(channels_last));
      for (size_t k = 0; k < got.size(); ++k) {
        expect_close(got[k].contiguous(), array_of(expected[k]), 1e-5);
      }
      Tensors there;
      for (const Tensor& x : gradient) there.push_back(on_device ? x.cuda() : x);
      const Tensors back = dispatch(Model(BatchNormGrad{}), there);
      EXPECT_TRUE(back[0].is_contiguous(channels_last));
      for (size_t k = 0; k < back.size(); ++k) {
        expect_close(back[k].cpu().contiguous(), array_of(gradients[k]), 1e-4);
      }
    }
  }
}

TEST_F(CudaNorm, FusedHasTheBitsOfSingleOps) {
  for (const Shape& shape : {Shape{70, 8}, {2, 3, 40}, {33, 2, 4, 4}, {130, 2, 3, 3}}) {
    for (const DType dtype : {float32, float64, float16, bfloat16}) {
      expect_bits_of_single_ops(shape, dtype, Device::cuda());
    }
  }
  for (const Shape& shape : {Shape{3, 1, 20000}, {8, 64, 9, 9}, {600, 12, 2, 2}}) {
    expect_bits_of_single_ops(shape, bfloat16, Device::cuda());  // several parts and turns
  }
}

/// A view that does not begin where packs do.
TEST_F(CudaNorm, FusedTakesOperandsThatLieAnywhere) {
  const NoGradGuard no_grad;
  for (const DType dtype : {float32, bfloat16}) {
    for (const int which : {0, 1, 2, 3}) {
      SCOPED_TRACE(testing::Message() << to_string(dtype) << which);
      NormOperands o({8, 16, 4, 4}, dtype, Device::cuda(), contiguous_format);
      Tensor& moved = *std::array{&o.x, &o.residual, &o.gy, &o.more}[static_cast<size_t>(which)];
      const Tensor room = empty({moved.numel() + 1}, {.dtype = dtype, .device = Device::cuda()});
      const Tensor odd = room.slice(0, 1, moved.numel() + 1).view(moved.shape());
      Tensor(odd).copy_(moved);
      moved = odd;
      expect_bits_of_single_ops(o, false, false);
      expect_bits_of_single_ops(o, true, true);
    }
  }
}

/// Threads come back for more: to their channels, where these are neighbours, or to other ones.
TEST_F(CudaNorm, TakesManySteps) {
  for (const Shape& shape : {Shape{14500, 37}, Shape{33000, 40}, Shape{2, 3, 190001}}) {
    SCOPED_TRACE(to_string(shape));
    const Shape c{shape[1]};
    const Tensors in = operands(shape, float32, 0);
    const Tensors got = run({}, in, true), expected = run({}, in, false);
    expect_close(got[0], array_of(expected[0]), 1e-5);
    const Tensors gradient{sample(shape, float32, 8), in[0], in[1], in[3], in[4]};
    Tensors there;
    for (const Tensor& x : gradient) there.push_back(x.cuda());
    const Tensor gx = dispatch(Model(BatchNormGrad{}), there)[0].cpu();
    expect_close(gx, array_of(dispatch(Model(BatchNormGrad{}), gradient)[0]), 1e-5);
  }
}

TEST_F(CudaNorm, TakesStridedVectorsAndEmptyBatches) {
  Tensors in = operands({6, 4, 3}, float32, 0);
  in[1] = sample({8}).slice(0, 0, 8, 2);
  in[2] = sample({1}).expand({4});
  Tensors got = run({}, in, true), expected = run({}, in, false);
  expect_close(got[0], array_of(expected[0]), 2e-6);
  in[0] = empty({0, 4, 3});
  got = run({}, in, true), expected = run({}, in, false);
  for (size_t k = 0; k < got.size(); ++k) expect_close(got[k], array_of(expected[k]), 1e-6);
}

}  // namespace
}  // namespace reprise::op_testing
