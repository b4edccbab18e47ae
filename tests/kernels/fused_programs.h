#pragma once
// Lines of elementwise ops for the tests of Fused.

#include <algorithm>

#include "../../core/dispatch.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused.h"
#include "op_testing.h"

namespace reprise::op_testing {

template <class T>
OpRef op_ref(const T& op = {}) {
  return make_ref<const Model<T>>(op);
}

inline Tensors run(const Fused& op, const Tensors& in) { return dispatch(Model<Fused>(op), in); }

/// The same by the single ops.
inline Tensors run_singly(const Fused& op, const Tensors& in) {
  std::vector<Tensor> values(in.begin(), in.end());
  for (const FusedStep& step : op.steps) {
    Tensors operands;
    for (const int64_t k : step.in) operands.push_back(values[static_cast<size_t>(k)]);
    values.push_back(dispatch(*step.op, operands).front());
  }
  Tensors out;
  for (const int64_t k : op.results) out.push_back(values[static_cast<size_t>(k)]);
  return out;
}

inline void expect_same(const Tensors& got, const Tensors& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].dtype(), expected[i].dtype());
    expect_same_bits(got[i], expected[i].contiguous());
  }
}

/// Random ones, by seed.
class Programs {
 public:
  explicit Programs(uint64_t seed) : random_(seed) {}

  /// Inputs of many layouts and dtypes, on a device.
  Tensors inputs(const Shape& shape, Device device = {}) {
    constexpr DType dtypes[] = {float32, float32, float32, float64, int64, int32, uint8, bool_};
    Tensors out;
    for (uint64_t n = 1 + below(4); n > 0; --n) {
      const Tensor x = sample(shape, dtypes[below(8)], random_()).to(device);
      const std::vector<Tensor> same = of_shape(layouts_of(x), shape);
      out.push_back(same[below(same.size())]);
    }
    return out;
  }

  Fused program(const Tensors& in) {
    dtypes_.clear();
    for (const Tensor& x : in) dtypes_.push_back(x.dtype());
    Fused op;
    for (uint64_t n = 1 + below(12); n > 0; --n) op.steps.push_back(step());
    const auto first = static_cast<int64_t>(in.size());
    for (auto k = static_cast<int64_t>(dtypes_.size()) - 1; k >= first; --k) {
      if (op.results.empty() || (op.results.size() < 4 && below(4) == 0)) op.results.push_back(k);
    }
    return op;
  }

 private:
  uint64_t below(uint64_t n) { return random_() % n; }

  static std::vector<Tensor> layouts_of(const Tensor& x) {
    std::vector<Tensor> out = layouts(x);
    if (x.numel() == 0) return {x};
    Shape one = Shape::filled(x.dim(), 1);
    out.push_back(expand(reshape(flatten(x, 0, -1).slice(0, 0, 1), one), x.shape()));
    one[1] = x.size(1);
    out.push_back(expand(reshape(flatten(x, 0, -1).slice(0, 0, x.size(1)), one), x.shape()));
    return out;
  }
  static std::vector<Tensor> of_shape(const std::vector<Tensor>& all, const Shape& shape) {
    std::vector<Tensor> out;
    for (const Tensor& x : all) {
      if (x.shape() == shape) out.push_back(x);
    }
    return out;
  }

  /// An operand of that dtype; a step is added that converts one when there is none.
  int64_t operand(DType dtype, std::vector<FusedStep>& before) {
    std::vector<int64_t> fitting;
    for (size_t k = 0; k < dtypes_.size(); ++k) {
      if (dtypes_[k] == dtype) fitting.push_back(static_cast<int64_t>(k));
    }
    if (!fitting.empty()) return fitting[below(fitting.size())];
    before.push_back({op_ref(Copy{dtype}), {static_cast<int64_t>(below(dtypes_.size()))}});
    dtypes_.push_back(dtype);
    return static_cast<int64_t>(dtypes_.size()) - 1;
  }

  FusedStep step() {
    const DType dtype = dtypes_[below(dtypes_.size())];
    const auto any = static_cast<int64_t>(below(dtypes_.size()));
    const auto index = static_cast<ElementwiseIndex>(below(size_t(ElementwiseIndex::Copy) + 1));
    FusedStep out;
    const auto take = [&]<class T>() {
      if constexpr (T::domain == Domain::floating) {
        if (!is_floating_point(dtype)) return;
      }
      if (T::domain == Domain::numeric && dtype == bool_) return;
      if (std::is_same_v<T, Remainder> && !is_floating_point(dtype)) return;  // refused
      std::vector<FusedStep> none;
      out.op = op_ref<T>();
      const bool where = std::is_same_v<T, Where>;
      if (where && std::count(dtypes_.begin(), dtypes_.end(), bool_) == 0) return void(out = {});
      for (int k = 0; k < T::arity; ++k) {
        out.in.push_back(operand(where && k == 0 ? bool_ : dtype, none));
      }
    };
    switch (index) {
#define REPRISE_CASE(T) \
  case ElementwiseIndex::T: take.template operator()<T>(); break;
      REPRISE_ELEMENTWISE_OPS(REPRISE_CASE)
#undef REPRISE_CASE
      default: break;
    }
    if (out.op == nullptr) {
      constexpr DType dtypes[] = {float32, float64, int32, bool_};
      out = {op_ref(Copy{dtypes[below(4)]}), {any}};
    }
    const bool copies = out.op->traits().elementwise == ElementwiseIndex::Copy;
    dtypes_.push_back(copies                                       ? as<Copy>(*out.op)->dtype
                      : is_predicate(out.op->traits().elementwise) ? bool_
                                                                   : dtype);
    return out;
  }

  std::mt19937_64 random_;
  std::vector<DType> dtypes_;
};

}  // namespace reprise::op_testing
