#pragma once
// Rows of core/ops/foreach.h: called on copies, for most write what they are given.

#include "../../core/ops/foreach.h"
#include "update_rows.h"

namespace reprise::op_rows {

/// `f` gets copies of operands of those shapes.
inline OpRow foreach_row(std::string name, const std::vector<Shape>& shapes,
                         const std::function<Tensors(const Tensors&)>& f,
                         const std::function<double(double)>& reference) {
  OpRow row = update_row(std::move(name), {}, {});
  for (const Shape& shape : shapes) row.operands.push_back({shape});
  row.sizes = elementwise_sizes(row.operands);
  row.f = [f](const Tensors& in) { return f(copies(in)); };
  row.reference = [reference](const Arrays& in) {
    Arrays out = in;
    for (Array& array : out) {
      for (double& x : array.values) x = reference(x);
    }
    return out;
  };
  return row;
}

/// An op that writes over all that it is given.
template <class T>
OpRow in_place_row(const T& op, const std::function<double(double)>& reference) {
  const auto f = [op](const Tensors& in) {
    dispatch(Model(op), in);
    return in;
  };
  return foreach_row(std::string(T::name), {{4, 15}, {7}, {2, 3, 4}}, f, reference);
}

REPRISE_ROW(ForeachFill, [] {
  OpRow row = in_place_row(ForeachFill{2.5}, [](double) { return 2.5; });
  row.propagates_nan = false;
  return row;
}())
REPRISE_ROW(ForeachClamp, in_place_row(ForeachClamp{1.25}, [](double x) {
              return x < -1.25 ? -1.25 : x > 1.25 ? 1.25 : x;
            }))

/// To a wider dtype and back.
inline Tensors there_and_back(const Tensors& in) {
  const DType dtype = in[0].dtype();
  const DType wider = is_half(dtype) ? float32 : dtype == float32 ? float64 : dtype;
  return dispatch(Model(ForeachCopy{dtype}), dispatch(Model(ForeachCopy{wider}), in));
}
REPRISE_ROW(ForeachCopy, foreach_row("foreach_copy", {{4, 15}, {7}, {2, 3, 4}}, there_and_back,
                                     [](double x) { return x; }))

REPRISE_ROW(ForeachAdd, [] {
  OpRow row = foreach_row("foreach_add", {{4, 15}, {4, 15}, {7}, {7}},
                          [](const Tensors& in) {
                            dispatch(Model(ForeachAdd{}), in);
                            return Tensors{in[0], in[2]};
                          },
                          {});
  row.reference = [](const Arrays& in) {
    Arrays out{in[0], in[2]};
    for (size_t k = 0; k < 2; ++k) {
      for (size_t i = 0; i < out[k].values.size(); ++i) {
        out[k].values[i] += in[2 * k + 1].values[i];
      }
    }
    return out;
  };
  return row;
}())

inline double norm_of(const Arrays& arrays, bool largest) {
  double norm = 0;
  for (const Array& array : arrays) {
    for (const double x : array.values) {
      norm = largest ? nan_max(std::abs(x), norm) : norm + x * x;
    }
  }
  return largest ? norm : std::sqrt(norm);
}

inline OpRow total_norm_row(std::string name, bool largest) {
  OpRow row = foreach_row(std::move(name), {{4, 15}, {7}, {2, 3, 4}},
                          [largest](const Tensors& in) {
                            Tensors dense;
                            for (const Tensor& x : in) dense.push_back(x.contiguous());
                            const Tensor norm = dispatch(Model(TotalNorm{largest}), dense).front();
                            return Tensors{norm.to(in[0].dtype())};
                          },
                          {});
  row.reference = [largest](const Arrays& in) {
    return Arrays{Array(Shape{}, norm_of(in, largest))};
  };
  return row;
}

REPRISE_ROW(TotalNorm, total_norm_row("total_norm", false),
            total_norm_row("total_norm_largest", true))

inline OpRow clip_row(std::string name, double norm) {
  const ClipWithNorm op{3};
  return foreach_row(
      std::move(name), {{4, 15}, {7}, {2, 3, 4}},
      [=](const Tensors& in) {
        Tensors operands{full({}, norm, {.device = in[0].device()})};
        for (const Tensor& x : in) operands.push_back(x);
        dispatch(Model(op), operands);
        return in;
      },
      [=](double x) { return x * std::min(1.0, 3 / (norm + 1e-6)); });
}

REPRISE_ROW(ClipWithNorm, clip_row("clip_with_norm", 8), clip_row("clip_with_norm_that_fits", 2))

}  // namespace reprise::op_rows
