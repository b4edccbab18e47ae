// A fused convolution must give the bits of the single ops, packed or not.

#include "../../core/ops/fused_conv.h"
#include "../../core/dispatch.h"
#include "op_testing.h"

namespace reprise::op_testing {
namespace {

struct Case {
  Shape x, w;
  ConvAttributes a;
};

/// Both implementations: direct and by way of matrices.
std::vector<Case> cases() {
  return {{{1, 3, 32, 32}, {32, 3, 3, 3}, {1, 0, 1, 1}},
          {{4, 16, 9, 9}, {16, 16, 3, 3}, {1, 1, 1, 1}},
          {{2, 5, 11, 10}, {35, 5, 3, 2}, {2, Pair(1, 0), 1, 1}},
          {{3, 6, 8, 9}, {4, 6, 1, 1}, {1, 0, 1, 1}},
          {{2, 4, 12, 12}, {7, 4, 3, 3}, {1, 2, 2, 1}},
          {{2, 4, 5, 6}, {6, 2, 3, 3}, {1, 1, 1, 2}},
          {{40, 8, 6, 5}, {8, 1, 3, 3}, {1, 1, 1, 8}},
          {{2, 8, 3, 3}, {20, 8, 3, 3}, {1, 0, 1, 1}},
          {{1, 8, 60, 60}, {3, 8, 3, 3}, {1, 1, 1, 1}}};
}

Tensor activated(Activation activation, const Tensor& y) {
  switch (activation) {
    case Activation::relu: return relu(y);
    case Activation::tanh: return tanh(y);
    case Activation::sigmoid: return sigmoid(y);
    case Activation::gelu: return gelu(y);
    case Activation::gelu_tanh: return gelu(y, "tanh");
    case Activation::none: break;
  }
  return y;
}

/// Batch normalisation in eval mode.
Tensor scaled(const Tensor& y, const Tensor& scale, const Tensor& shift) {
  const Shape beside{scale.size(0), 1, 1};
  return y * reshape(scale, beside) + reshape(shift, beside);
}

/// `b` is bias, scale and shift of each channel.
Tensor run(const FusedConv2d& op, const Tensor& x, const Tensor& w, const Tensor& b,
           const Tensor& r) {
  Tensors in{x, w};
  if (op.bias) in.push_back(b[0]);
  if (op.scaled) {
    in.push_back(b[1]);
    in.push_back(b[2]);
  }
  if (op.residual) in.push_back(r);
  return dispatch(Model<FusedConv2d>(op), in).front();
}

/// All fused convolutions of x and w, packed or not, against the single ops.
void expect_agree(const Case& c, DType dtype) {
  const Tensor x = sample(c.x, dtype, 1), w = sample(c.w, dtype, 2);
  const Tensor b = sample({3, c.w[0]}, dtype, 3), packed = apply(PackConvWeight{c.a, x.HW()}, w);
  for (int flags = 0; flags < 8; ++flags) {
    const bool bias = flags & 1, scale = flags & 2, residual = flags & 4;
    Tensor y =
        conv2d(x, w, bias ? b[0] : Tensor(), {c.a.stride, c.a.padding, c.a.dilation, c.a.groups});
    const Tensor r = sample(y.shape(), dtype, 4);
    if (scale) y = scaled(y, b[1], b[2]);
    if (residual) y = y + r;
    for (const Activation activation :
         {Activation::none, Activation::relu, Activation::tanh, Activation::sigmoid,
          Activation::gelu, Activation::gelu_tanh}) {
      const Tensor expected = activated(activation, y);
      FusedConv2d op{c.a, bias, scale, residual, activation};
      expect_same_bits(run(op, x, w, b, r), expected);
      op.packed = true;
      op.weight_shape = c.w;
      expect_same_bits(run(op, x, packed, b, r), expected);
    }
  }
}

TEST(FusedConv2d, HasTheBitsOfTheSingleOps) {
  on_every_isa([] {
    for (const Case& c : cases()) {
      SCOPED_TRACE(testing::Message() << "weight " << to_string(c.w));
      expect_agree(c, float32);
      expect_agree(c, float64);
    }
  });
}

TEST(FusedConv2d, HasTheSameBitsOnAnyNumberOfThreads) {
  for (const Case& c : cases()) {
    const Tensor x = sample(c.x), w = sample(c.w, float32, 2), b = sample({3, c.w[0]});
    const Tensor r = conv2d(x, w, {}, {c.a.stride, c.a.padding, c.a.dilation, c.a.groups});
    expect_same_on_threads([&] {
      return Tensors{run({c.a, false, true, true, Activation::relu}, x, w, b, r),
                     apply(PackConvWeight{c.a, x.HW()}, w)};
    });
  }
}

/// The gradients of one case, and the mask over which the fused one may be written.
struct InputGrad {
  Conv2dInputGrad op;
  Tensor gy, w, y;

  InputGrad(const Case& c, DType dtype)
      : op{c.a, Pair(c.x[2], c.x[3])}, w(sample(c.w, dtype, 2)), y(clone(sample(c.x, dtype, 4))) {
    const Shape shape =
        conv2d(y, w, {}, {c.a.stride, c.a.padding, c.a.dilation, c.a.groups}).shape();
    gy = sample(shape, dtype, 1);
    for (const double special : {0.0, -0.0, std::nan("")}) {
      flatten(y)[y.numel() / 3 + static_cast<int64_t>(std::signbit(special)) * 5].fill_(special);
    }
  }

  Tensor expected() const { return apply(ReluGrad{}, apply(op, gy, w), y); }
  Tensor fused() const { return apply(fused_op(), gy, w, y); }
  FusedConv2dInputGrad fused_op() const { return {op, op.size}; }

  /// Written over y, as a plan may ask for.
  Tensor fused_over_y() const {
    const Metas in{gy.meta(), w.meta(), y.meta()};
    const Tensor space =
        empty({static_cast<int64_t>(fused_op().workspace(in, {})) + 1}, {.dtype = uint8});
    const Tensor result = clone(y);
    const View out{result.raw_data(), &result.meta()};
    const std::array operands{View{gy.raw_data(), &in[0]}, View{w.raw_data(), &in[1]}, out};
    fused_op().cpu({operands, {&out, 1}, space.raw_data(), {}});
    return result;
  }
};

TEST(FusedConv2dInputGrad, HasTheBitsOfTheSingleOpsAlsoOverTheMask) {
  on_every_isa([] {
    for (const Case& c : cases()) {
      SCOPED_TRACE(testing::Message() << "weight " << to_string(c.w));
      for (const DType dtype : {float32, float64}) {
        const InputGrad grad(c, dtype);
        expect_same_bits(grad.fused(), grad.expected());
        expect_same_bits(grad.fused_over_y(), grad.expected());
      }
    }
  });
}

TEST(FusedConv2dInputGrad, HasTheSameBitsOnAnyNumberOfThreads) {
  for (const Case& c : cases()) {
    const InputGrad grad(c, float32);
    expect_same_on_threads([&] { return Tensors{grad.fused(), grad.fused_over_y()}; });
  }
}

TEST(FusedConv2dInputGrad, RefusesWrongOperands) {
  const InputGrad grad(cases()[1], float32);
  const auto refused = [&](const Tensor& gy, const Tensor& w, const Tensor& y) {
    EXPECT_THROW(apply(grad.fused_op(), gy, w, y), Error);
  };
  refused(grad.gy, grad.w, grad.w);
  refused(grad.gy, grad.w, grad.y.to(float64));
  refused(grad.gy, grad.w, transpose(grad.y, 2, 3));
  refused(slice(grad.gy, 2, 1), grad.w, grad.y);
  EXPECT_THROW(apply(FusedConv2dInputGrad{}, grad.gy, grad.w), Error);
}

TEST(FusedConv2d, KeepsNaN) {
  const Case c = cases()[0];
  Tensor x = clone(sample(c.x)), w = sample(c.w, float32, 2);
  x.data<float>()[7] = std::nanf("");
  expect_same_bits(run({c.a, false, false, false, Activation::relu}, x, w, {}, {}),
                   relu(conv2d(x, w)));
}

TEST(FusedConv2d, RefusesWrongOperands) {
  const Case c = cases()[1];
  const Tensor x = sample(c.x), w = sample(c.w), b = sample({3, c.w[0]}), r = sample(c.x);
  EXPECT_THROW(run({c.a, true}, x, w, sample({3, 3}), {}), Error);
  EXPECT_THROW(run({c.a, false, true}, x, w, sample({3, 3}), {}), Error);
  EXPECT_THROW(run({c.a, false, true}, x, w, b.to(float64), {}), Error);
  EXPECT_THROW(run({c.a, false, true}, x, w, transpose(transpose(b, 0, 1).contiguous(), 0, 1), {}),
               Error);  // not dense
  EXPECT_THROW(run({c.a, false, false, true}, x, w, b, sample({3})), Error);
  EXPECT_THROW(run({c.a, false, false, true}, x, w, b, r.to(float64)), Error);
  EXPECT_THROW(run({c.a, false, false, true}, x, w, b, transpose(r, 2, 3)), Error);
  EXPECT_THROW(run({c.a, false, false, false, Activation::none, true, c.w}, x, w, b, r), Error);
  const int64_t huge = int64_t{1} << 60;
  for (const Shape& shape : {Shape{-1, 1, 1, 1}, Shape{huge, 16, 3, 3}, Shape{3}}) {
    EXPECT_THROW(run({c.a, false, false, false, Activation::none, true, shape}, x, b[0], b, r),
                 Error);
  }
  EXPECT_THROW(apply(PackConvWeight{c.a, x.HW()}, b[0]), Error);
  EXPECT_THROW(apply(PackConvWeight{c.a, Pair(0)}, sample({4, 4, 5, 5})), Error);
}

}  // namespace
}  // namespace reprise::op_testing
