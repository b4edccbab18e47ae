// Ops over many tensors on the device against the CPU and against single calls: several blocks,
// tails, tables that overflow, tensors that do not lie dense or where vectors may begin.

#include "../../../core/ops/foreach.h"

#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../../../core/ops/elementwise.h"
#include "../op_testing.h"

namespace reprise {
namespace {

using namespace op_testing;

class CudaForeach : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

/// Dense, but not where vectors may begin.
Tensor shifted(const Tensor& x) {
  const Tensor room = empty({x.numel() + 1}, {.dtype = x.dtype(), .device = x.device()});
  Tensor out = reshape(slice(room, 0, 1), x.shape());
  return out.copy_(x), out;
}
Tensor transposed(const Tensor& x) { return transpose(clone(transpose(x, 0, -1)), 0, -1); }
Tensor spaced(const Tensor& x) {
  Shape twice = x.shape();
  twice[0] *= 2;
  Tensor out = slice(empty(twice, {.dtype = x.dtype(), .device = x.device()}), 0, 0, twice[0], 2);
  return out.copy_(x), out;
}

constexpr int64_t kMany = 170;  // more than tables hold

/// Tensors on the device: small ones, then larger ones of any layout.
Tensors tensors_of(DType dtype, int64_t small = kMany, bool dense = false) {
  Tensors out;
  const auto sample_of = [&](const Shape& shape) {
    return sample(shape, float32, out.size()).to(dtype).cuda();
  };
  for (int64_t i = 0; i < small; ++i) out.push_back(sample_of({i % 9}));
  out.push_back(sample_of({4096 * 3 + 5}));
  out.push_back(shifted(sample_of({4096 + 77})));
  out.push_back(transposed(sample_of({70, 31})));
  if (!dense) out.push_back(spaced(sample_of({90, 31})));
  return out;
}
Tensors dense_tensors_of(DType dtype, int64_t small) { return tensors_of(dtype, small, true); }

constexpr DType kFloats[] = {float32, float64, float16, bfloat16};

TEST_F(CudaForeach, CopiesHaveTheBitsOfSingleOnes) {
  for (const DType from : {float32, float64, float16, bfloat16, int64}) {
    const Tensors in = tensors_of(from);
    for (const DType to : {float32, float16, bfloat16, int32}) {
      const Tensors out = dispatch(Model(ForeachCopy{to}), in);
      ASSERT_EQ(out.size(), in.size());
      for (size_t i = 0; i < in.size(); ++i) {
        ASSERT_EQ(out[i].dtype(), to);
        expect_same_bits(out[i].cpu(), dispatch(Model(Copy{to}), std::span(&in[i], 1))[0].cpu());
      }
    }
  }
}

TEST_F(CudaForeach, CopiesKeepTheirFormat) {
  const Tensor x = sample({2, 3, 4, 5}).cuda().contiguous(channels_last);
  const Tensors out = dispatch(Model(ForeachCopy{bfloat16}), Tensors{x, x.contiguous()});
  EXPECT_TRUE(out[0].is_contiguous(channels_last));
  EXPECT_TRUE(out[1].is_contiguous());
  expect_same_bits(out[0].contiguous().cpu(), out[1].cpu());
}

TEST_F(CudaForeach, SumsHaveTheBitsOfSingleOnes) {
  const DType dtypes[][2] = {{float32, float32},   {float64, float64}, {float16, float16},
                             {bfloat16, bfloat16}, {float32, float16}, {float32, bfloat16}};
  for (const auto [x_dtype, y_dtype] : dtypes) {
    const Tensors x = tensors_of(x_dtype);
    Tensors y = tensors_of(y_dtype), expected, in;
    y[kMany + 2] = y[kMany + 2].contiguous();  // beside an x that is not
    for (size_t i = 0; i < x.size(); ++i) {
      expected.push_back(x[i] + y[i].to(x_dtype));
      in.push_back(x[i]);
      in.push_back(y[i]);
    }
    dispatch(Model(ForeachAdd{}), in);
    for (size_t i = 0; i < x.size(); ++i) {
      expect_same_bits(x[i].contiguous().cpu(), expected[i].contiguous().cpu());
    }
  }
}

/// Runs `op` on both devices, with the norm in front if there is one.
template <class T>
void expect_bits_of_cpu(const T& op, const Tensors& in, const Tensor& norm = {}) {
  Tensors here, there;
  if (norm.defined()) here.push_back(norm), there.push_back(norm.cuda());
  for (const Tensor& x : in) here.push_back(x.cpu().contiguous()), there.push_back(x);
  dispatch(Model(op), here);
  dispatch(Model(op), there);
  for (size_t i = 0; i < here.size(); ++i) {
    expect_same_bits(there[i].contiguous().cpu(), here[i]);
  }
}

TEST_F(CudaForeach, HasTheBitsOfTheCpu) {
  for (const DType dtype : kFloats) {
    expect_bits_of_cpu(ForeachFill{1.0 / 3}, tensors_of(dtype));
    for (const double bound : {0.3, 0.0})
      expect_bits_of_cpu(ForeachClamp{bound}, tensors_of(dtype));
    for (const double norm : {0.25, 7.0, 1e9, HUGE_VAL, std::nan("")}) {
      expect_bits_of_cpu(ClipWithNorm{0.5}, tensors_of(dtype), full({}, norm));
      expect_bits_of_cpu(ClipWithNorm{0.5}, tensors_of(dtype), full({}, norm, {.dtype = float64}));
    }
  }
}

Tensor norm_of(const Tensors& in, bool largest) {
  return dispatch(Model(TotalNorm{largest}), in).front();
}

TEST_F(CudaForeach, NormsAreThoseOfTheCpu) {
  for (const bool largest : {false, true}) {
    Tensors all;
    for (const DType dtype : kFloats) {
      const Tensors in = dense_tensors_of(dtype, dtype == float32 ? kMany : 20);
      Tensors here, aligned;
      for (const Tensor& x : in) here.push_back(x.cpu()), aligned.push_back(x.clone());
      for (const Tensor& x : in) all.push_back(x);
      const double expected = norm_of(here, largest).item<double>();
      const Tensor got = norm_of(in, largest);
      EXPECT_EQ(got.dtype(), dtype == float64 ? float64 : float32);
      EXPECT_NEAR(got.item<double>(), expected, (largest ? 0 : 1e-6) * expected);
      expect_same_bits(norm_of(aligned, largest).cpu(), got.cpu());  // whatever the address
      expect_same_bits(norm_of(in, largest).cpu(), got.cpu());
    }
    EXPECT_EQ(norm_of(all, largest).dtype(), float64);
  }
}

TEST_F(CudaForeach, NormsFindOneBadElement) {
  for (const bool largest : {false, true}) {
    for (const size_t tensor : {5U, 6U, 7U, 8U}) {
      for (const double bad : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
        const Tensors in = dense_tensors_of(float32, 6);
        select(in[tensor].dim() == 1 ? in[tensor] : select(in[tensor], 0, 3), 0, 1).fill_(bad);
        const double norm = norm_of(in, largest).item<double>();
        EXPECT_EQ(std::isnan(norm), std::isnan(bad));
        EXPECT_FALSE(std::isfinite(norm)) << tensor;
      }
    }
  }
  EXPECT_EQ(norm_of({zeros({0}).cuda(), full({3}, -0.0).cuda()}, true).item<double>(), 0);
}

TEST_F(CudaForeach, NormsOnTheCpuAreTheSameForAnyThreads) {
  Tensors in;
  for (const Tensor& x : dense_tensors_of(float32, kMany)) in.push_back(x.cpu());
  in.push_back(sample({300, 1000}));
  expect_same_on_threads([&] { return Tensors{norm_of(in, false), norm_of(in, true)}; });
}

}  // namespace
}  // namespace reprise
