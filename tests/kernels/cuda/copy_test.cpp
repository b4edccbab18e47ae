// What moves, fills and draws on the device against the CPU.

#include "../../../core/ops/cat.h"
#include "../../../core/ops/create.h"
#include "../../../core/ops/elementwise.h"
#include "../../../core/ops/random.h"
#include "../../../core/ops/view.h"
#include "../../../core/random.h"
#include "device_testing.h"

namespace reprise::op_testing {
namespace {

using CudaCopy = OnDevice;
using CudaRandom = OnDevice;

constexpr DType kDTypes[] = {float32, float64, int64, int32, uint8, bool_};

TEST_F(CudaCopy, ConvertsEveryPairOfDTypes) {
  for (const DType from : kDTypes) {
    const Tensor x = any_values({24, 67}, from, 1);
    for (const DType to : kDTypes) {
      for (size_t layout = 0; layout < kLayouts.size(); ++layout) {
        expect_op_alike(Copy{to}, {x}, {layout});
      }
    }
  }
}

TEST_F(CudaCopy, TransposesThroughTiles) {
  const std::vector<Shape> shapes{{8, 8},      {32, 32},       {33, 31},       {7, 100},
                                  {100, 7},    {70, 130},      {3, 40, 50},    {40, 3, 50},
                                  {65, 9, 66}, {2, 5, 33, 12}, {1, 64, 1, 64}, {5, 12, 3, 34}};
  for (const Shape& shape : shapes) {
    for (const DType dtype : {float32, float64, uint8}) {
      const Tensor x = any_values(shape, dtype, 3), there = x.cuda();
      for (int a = 0; a < shape.dim(); ++a) {
        for (int b = 0; b < a; ++b) {
          SCOPED_TRACE(testing::Message()
                       << to_string(shape) << to_string(dtype) << ' ' << b << ' ' << a);
          expect_alike(there.transpose(a, b).clone(), x.transpose(a, b).clone());
          const Tensor part = x.slice(a, 0, x.size(a), 2);
          expect_alike(there.slice(a, 0, x.size(a), 2).transpose(a, b).contiguous(),
                       part.transpose(a, b).contiguous());
        }
      }
    }
  }
}

/// A conversion may write over its input, when elements have one size.
TEST_F(CudaCopy, ConvertsInPlace) {
  for (const auto& [from, to] : {std::pair(float32, int32), std::pair(int64, float64),
                                 std::pair(uint8, bool_), std::pair(int32, float32)}) {
    const Tensor x = any_values({5001}, from, 4), there = x.cuda();
    const Meta meta({5001}, to, Device::cuda());
    const View in[] = {{there.raw_data(), &there.meta()}}, out[] = {{there.raw_data(), &meta}};
    Copy{to}.cuda({.in = in, .out = out, .workspace = nullptr, .stream = {}});
    Tensor result = empty({5001}, {.dtype = to, .device = Device::cuda()});
    const View copied[] = {{result.raw_data(), &result.meta()}};
    Copy{to}.cuda({.in = out, .out = copied, .workspace = nullptr, .stream = {}});
    expect_alike(result, x.to(to));
  }
}

TEST_F(CudaCopy, CatAndSliceGrad) {
  for (const DType dtype : {float64, uint8}) {
    for (int dim = 0; dim < 3; ++dim) {
      Shape none{6, 10, 33};
      none[static_cast<size_t>(dim)] = 0;
      const Tensors in{any_values({6, 10, 33}, dtype, 1), any_values({6, 10, 33}, dtype, 2),
                       any_values(none, dtype, 3), any_values({6, 10, 33}, dtype, 4)};
      expect_op_alike(Cat{dim}, in, {0, 2, 0, 3});
      const int64_t size = in[0].size(dim);
      expect_op_alike(SliceGrad{{dim, 1, size, 3}, 3 * size + 2}, {in[0]}, {0});
      expect_op_alike(SliceGrad{{dim, 0, size, 1}, size + 9}, {in[0]}, {2});
    }
  }
}

TEST_F(CudaCopy, FullAndArange) {
  for (const DType dtype : kDTypes) {
    for (const int64_t n : {0, 1, 7, 5000}) {
      for (const Scalar value : {Scalar(-3), Scalar(2.7), Scalar(1e30), Scalar(NAN)}) {
        expect_alike(full({n}, value, {.dtype = dtype, .device = Device::cuda()}),
                     full({n}, value, {.dtype = dtype}));
      }
      for (const auto& [start, step] :
           {std::pair(Scalar(-5), Scalar(3)), std::pair(Scalar(0.1), Scalar(-0.3)),
            std::pair(Scalar(int64_t{1} << 62), Scalar(int64_t{1} << 60))}) {
        expect_alike(apply(Arange{start, step, n, dtype, Device::cuda()}),
                     apply(Arange{start, step, n, dtype, Device{}}));
      }
    }
  }
}

TEST_F(CudaRandom, HasTheBitsOfTheCpu) {
  for (const DType dtype : {float32, float64}) {
    for (const int64_t n : {0, 1, 2, 5, 4099, 20000}) {
      for (const bool normal : {false, true}) {
        const auto draw = [&](Device device) {
          manual_seed(77);
          Tensors drawn;
          for (int i = 0; i < 2; ++i) {
            const TensorOptions options{.dtype = dtype, .device = device};
            drawn.push_back(normal ? randn({n}, options) : rand({n}, options));
          }
          return cat(drawn);
        };
        expect_alike(draw(Device::cuda()), draw(Device{}));
      }
    }
  }
}

TEST_F(CudaRandom, FillsAnyLayout) {
  const Tensor blocks = tensor({int64_t{9}, (int64_t{1} << 62) - 1});
  const Tensor strided = stack({blocks, blocks}, -1).cuda().select(-1, 0);
  for (const DType dtype : {float32, float64}) {
    for (const bool normal : {false, true}) {
      const Random op{{30, 44}, dtype, normal, 1.5, 1.6};
      const Tensor target = empty({44, 30}, {.dtype = dtype, .device = Device::cuda()}).t();
      const View in[] = {{strided.raw_data(), &strided.meta()}};
      const View out[] = {{target.raw_data(), &target.meta()}};
      op.cuda({.in = in, .out = out, .workspace = nullptr, .stream = {}});
      expect_alike(target, apply(op, blocks));
    }
  }
}

TEST_F(CudaRandom, DropsTheSameElements) {
  const Tensor blocks = tensor({int64_t{3}, int64_t{5}});
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : {Shape{1}, Shape{4099}, Shape{24, 40}, Shape{3, 7, 33}}) {
      for (size_t layout = 0; layout < kLayouts.size(); ++layout) {
        for (const double p : {0.0, 0.3, 1.0}) {
          if (p == 1 && layout > 0) continue;
          const Tensor x = any_values(shape, dtype, 6);
          const Tensor here = kLayouts[layout].of(x), there = kLayouts[layout].of(x.cuda());
          expect_alike(apply(Dropout{p}, there, blocks.cuda()), apply(Dropout{p}, here, blocks));
        }
      }
    }
  }
}

}  // namespace
}  // namespace reprise::op_testing
