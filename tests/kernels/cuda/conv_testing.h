#pragma once
// What the tests of convolutions on the first CUDA device, or the emulated one, share. Whole
// numbers make sums exact, so every order of adding must give the same bits.

#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../../../core/ops/fused_conv.h"
#include "../../core/expect.h"

namespace reprise::conv_testing {

using test::expect_tensor;

struct Case {
  Shape x, w;
  ConvAttributes a = {};
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << to_string(c.x) << " by " << to_string(c.w) << " " << Model(Conv2d{c.a}).text();
}

/// All attributes beside one another on odd sizes, and what fills several blocks.
inline std::vector<Case> cases() {
  std::vector<Case> out;
  for (const int64_t groups : {1, 3}) {
    for (const Pair stride : {Pair(1), Pair(2, 3)}) {
      for (const Pair padding : {Pair(0), Pair(2, 1)}) {
        for (const Pair dilation : {Pair(1), Pair(2, 3)}) {
          const ConvAttributes a{stride, padding, dilation, groups};
          out.push_back({{2, 6, 11, 13}, {9, 6 / groups, 3, 2}, a});
          out.push_back({{1, 3, 9, 10}, {6, 3 / groups, 1, 4}, a});
        }
      }
    }
  }
  for (const Case& c :
       {Case{{3, 70, 9, 9}, {67, 70, 3, 3}, {1, 1}}, Case{{2, 130, 6, 7}, {5, 130, 1, 1}},
        Case{{1, 3, 40, 37}, {65, 3, 7, 7}, {2, 3}},
        Case{{40, 8, 6, 5}, {8, 1, 3, 3}, {1, 1, 1, 8}},
        Case{{33, 4, 12, 12}, {3, 2, 5, 5}, {3, 2, 1, 2}}, Case{{0, 3, 9, 9}, {4, 3, 3, 3}},
        Case{{2, 0, 5, 5}, {4, 0, 3, 3}}, Case{{2, 3, 5, 5}, {0, 3, 3, 3}},
        Case{{2, 2, 11, 13}, {3, 2, 3, 4}, {4, 2, Pair(4, 2)}},
        Case{{1, 2, 3, 3}, {2, 2, 3, 3}, {5, 4, 3}}, Case{{4, 2, 50, 50}, {2, 2, 2, 2}, {7}}}) {
    if (c.w[0] % c.a.groups == 0) out.push_back(c);
  }
  return out;
}

/// Whole numbers in [-3, 3].
inline Tensor whole(const Shape& shape, DType dtype, int64_t seed) {
  Tensor x = empty(shape, {.dtype = float64});
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.data<double>()[i] = static_cast<double>((i + seed) * (i + 3 * seed) % 101 % 7 - 3);
  }
  return x.to(dtype);
}

/// The same tensor with channels side by side, when it has four dimensions.
inline Tensor in_channels_last(const Tensor& x) {
  if (x.dim() != 4) return x;
  return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
}

/// An op beside its scratch, to be run on operands as they lie.
template <Op T>
class Prepared {
 public:
  Prepared(const T& op, const Tensors& in, const Tensor& y) : op_(op), in_(in), y_(y) {
    for (const Tensor& x : in_) metas_.push_back(x.meta());
    for (size_t i = 0; i < in_.size(); ++i) views_.push_back({in_[i].raw_data(), &metas_[i]});
    const auto bytes = static_cast<int64_t>(op_.workspace(metas_, y.device()));
    scratch_ = empty({bytes}, {.dtype = uint8, .device = y.device()});
  }
  Prepared(const Prepared&) = delete;

  int64_t scratch() const { return scratch_.numel(); }
  void run(Stream stream = {}) const {
    const View out{y_.raw_data(), &y_.meta()};
    op_.launch(y_.device(), {views_, {&out, 1}, scratch_.raw_data(), stream});
  }

 private:
  Model<T> op_;
  Tensors in_;
  Tensor y_;
  Metas metas_;
  SmallVector<View, 6> views_;
  Tensor scratch_;
};

/// On the device the op must give the same, in either memory format.
template <Op T>
void expect_on_device(const T& op, const Tensors& in, const Tensor& expected,
                      double tolerance = 0) {
  Tensors there, last;
  for (const Tensor& x : in) there.push_back(x.cuda());
  for (const Tensor& x : there) last.push_back(in_channels_last(x));
  expect_tensor(dispatch(Model(op), there)[0].cpu(), expected, tolerance);
  if (in[0].numel() == 0) return;  // has no order
  SCOPED_TRACE("channels-last");
  const Tensor y = in_channels_last(empty_like(expected).cuda());
  Prepared(op, last, y).run();
  expect_tensor(y.contiguous().cpu(), expected, tolerance);
}

/// As the CPU.
template <Op T>
Tensor expect_same(const T& op, const Tensors& in, double tolerance = 0) {
  const Tensor expected = dispatch(Model(op), in)[0];
  expect_on_device(op, in, expected, tolerance);
  return expected;
}

/// Every op of a case, also with a bias and over a mask.
inline void expect_all_passes(const Case& c, DType dtype) {
  SCOPED_TRACE(testing::Message() << c);
  const Tensor x = whole(c.x, dtype, 1), w = whole(c.w, dtype, 2);
  expect_same(Conv2d{c.a}, {x, w});
  const Tensor y = expect_same(Conv2d{c.a}, {x, w, whole({c.w[0]}, dtype, 3)});
  const Tensor gy = whole(y.shape(), dtype, 4);
  expect_same(Conv2dInputGrad{c.a, x.HW()}, {gy, w});
  expect_same(FusedConv2dInputGrad{c.a, x.HW()}, {gy, w, whole(c.x, dtype, 5)});
  expect_same(Conv2dWeightGrad{c.a, w.HW()}, {gy, x});
}

inline Tensor per_channel(const Tensor& x) { return x.reshape({-1, 1, 1}); }

/// All that may follow, alone and in slices of the depth: as the single ops, which round values of
/// 16 bits one by one.
inline void expect_what_follows(DType dtype) {
  for (const Case& c :
       {Case{{2, 5, 9, 10}, {7, 5, 3, 3}, {1, 1}}, Case{{1, 60, 9, 5}, {8, 60, 3, 3}, {1, 1}},
        Case{{1, 128, 6, 5}, {70, 64, 3, 3}, {1, 0, 1, 2}}}) {
    const Tensor x = whole(c.x, dtype, 1), w = whole(c.w, dtype, 2);
    const Tensor r = whole(apply(Conv2d{c.a}, x, w).shape(), dtype, 6);
    for (int flags = 0; flags < 16; ++flags) {
      SCOPED_TRACE(testing::Message() << c << ", " << flags);
      const bool bias = flags & 1, scale = flags & 2, residual = flags & 4;
      Tensors in{x, w};
      for (int64_t k = 0; k < int64_t{bias} + 2 * int64_t{scale}; ++k) {
        in.push_back(whole({c.w[0]}, dtype, 3 + k));
      }
      Tensor y = bias ? apply(Conv2d{c.a}, x, w, in[2]) : apply(Conv2d{c.a}, x, w);
      if (scale) y = y * per_channel(in[2 + size_t{bias}]) + per_channel(in.back());
      if (residual) y = y + r;
      if (residual) in.push_back(r);
      if (flags & 8) y = relu(y);
      FusedConv2d op{c.a, bias, scale, residual, flags & 8 ? Activation::relu : Activation::none};
      expect_on_device(op, in, y);
      in[1] = apply(PackConvWeight{c.a, x.HW()}, w.cuda());
      op.packed = true;
      op.weight_shape = c.w;
      for (Tensor& operand : in) operand = operand.cuda();
      expect_tensor(dispatch(Model(op), in)[0].cpu(), y);
    }
  }
}

inline void expect_over_mask(DType dtype) {
  const Case c{{2, 70, 5, 5}, {8, 70, 3, 3}, {1, 1}};
  const Tensor gy = whole({2, 8, 5, 5}, dtype, 1).cuda(), w = whole(c.w, dtype, 2).cuda();
  Tensor y = whole(c.x, dtype, 3).cuda();
  const FusedConv2dInputGrad op{c.a, y.HW()};
  const Tensor expected = apply(op, gy, w, y).cpu();
  const std::array in{gy, w, y};
  dispatch(Model(op), in, &y);
  expect_tensor(y.cpu(), expected);
}

}  // namespace reprise::conv_testing
