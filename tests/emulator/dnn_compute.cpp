// What the graphs of the emulated cuDNN compute: plain loops over values as double, which are
// rounded to the types of their tensors where they are stored.

#include "../../core/half.h"
#include "dnn_descriptor.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::emulator {
namespace {

using Sizes = std::vector<int64_t>;

/// f.operator()<T>() for the elements of a tensor.
template <class F>
void visit(const DnnNode& tensor, F f) {
  switch (tensor.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE)) {
    case CUDNN_DATA_DOUBLE: return f.template operator()<double>();
    case CUDNN_DATA_HALF: return f.template operator()<Half>();
    case CUDNN_DATA_BFLOAT16: return f.template operator()<BFloat16>();
    default: return f.template operator()<float>();
  }
}

/// The values of a tensor of four dimensions, in row-major order.
struct Values {
  Sizes sizes;
  std::vector<double> all;

  explicit Values(const DnnNode& tensor)
      : sizes(tensor.all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)),
        all(static_cast<size_t>(sizes[0] * sizes[1] * sizes[2] * sizes[3])) {}

  double& at(int64_t n, int64_t c, int64_t h, int64_t w) {
    return all[static_cast<size_t>(((n * sizes[1] + c) * sizes[2] + h) * sizes[3] + w)];
  }
  bool has(int64_t h, int64_t w) const { return h >= 0 && w >= 0 && h < sizes[2] && w < sizes[3]; }
  template <class F>
  void each(F f) {
    for (int64_t n = 0; n < sizes[0]; ++n) {
      for (int64_t c = 0; c < sizes[1]; ++c) {
        for (int64_t h = 0; h < sizes[2]; ++h) {
          for (int64_t w = 0; w < sizes[3]; ++w) f(n, c, h, w);
        }
      }
    }
  }
};

/// A graph at work: values in memory are read and written where the pointers say, the others kept.
class Run {
 public:
  explicit Run(const std::map<int64_t, void*>& pointers) : pointers_(pointers) {}

  Values load(const DnnNode& tensor) {
    const auto id = tensor.one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    if (!pointers_.contains(id)) return kept_.at(id);
    Values values(tensor);
    each_element(tensor, values,
                 [](double& value, auto& element) { value = static_cast<double>(element); });
    return values;
  }
  void store(const DnnNode& tensor, Values values) {
    const auto id = tensor.one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    if (pointers_.contains(id)) {
      each_element(tensor, values,
                   []<class T>(double& value, T& element) { element = static_cast<T>(value); });
    } else {
      visit(tensor, [&]<class T>() {
        for (double& v : values.all) v = static_cast<double>(static_cast<T>(v));
      });
      kept_.insert_or_assign(id, std::move(values));
    }
  }

 private:
  template <class F>
  void each_element(const DnnNode& tensor, Values& values, F f) {
    const auto step = tensor.all<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
    void* const data = pointers_.at(tensor.one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID));
    visit(tensor, [&]<class T>() {
      values.each([&](int64_t n, int64_t c, int64_t h, int64_t w) {
        f(values.at(n, c, h, w),
          static_cast<T*>(data)[n * step[0] + c * step[1] + h * step[2] + w * step[3]]);
      });
    });
  }

  const std::map<int64_t, void*>& pointers_;
  std::map<int64_t, Values> kept_;
};

void convolve(Run& run, const DnnNode& op, const DnnConvNames& names) {
  const DnnNode& c = op.node(names.attributes);
  const Sizes stride = c.all<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  const Sizes dilation = c.all<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
  const Sizes padding = c.all<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  const bool to_y = op.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
  const bool to_x = op.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
  const auto operand = [&](cudnnBackendAttributeName_t name, bool is_result) {
    return is_result ? Values(op.node(name)) : run.load(op.node(name));
  };
  Values x = operand(names.x, to_x), y = operand(names.y, to_y);
  Values weight = operand(names.weight, !to_x && !to_y);
  const int64_t out = y.sizes[1] * weight.sizes[1] / x.sizes[1];  // channels of a group
  y.each([&](int64_t n, int64_t o, int64_t oh, int64_t ow) {
    for (int64_t i = 0; i < weight.sizes[1]; ++i) {
      for (int64_t kh = 0; kh < weight.sizes[2]; ++kh) {
        for (int64_t kw = 0; kw < weight.sizes[3]; ++kw) {
          const int64_t h = oh * stride[0] + kh * dilation[0] - padding[0];
          const int64_t w = ow * stride[1] + kw * dilation[1] - padding[1];
          if (!x.has(h, w)) continue;
          double& a = x.at(n, o / out * weight.sizes[1] + i, h, w);
          double &b = weight.at(o, i, kh, kw), &to = y.at(n, o, oh, ow);
          (to_y ? to : to_x ? a : b) += to_y ? a * b : to_x ? to * b : a * to;
        }
      }
    }
  });
  const auto result = to_y ? names.y : to_x ? names.x : names.weight;
  run.store(op.node(result), to_y ? y : to_x ? x : weight);
}

/// Only the sum with a tensor that is repeated along dimensions of size 1.
void add(Run& run, const DnnNode& op) {
  Values x = run.load(op.node(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  Values b = run.load(op.node(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
  x.each([&](int64_t n, int64_t c, int64_t h, int64_t w) {
    const auto in = [&](int64_t i, size_t d) { return b.sizes[d] == 1 ? 0 : i; };
    x.at(n, c, h, w) += b.at(in(n, 0), in(c, 1), in(h, 2), in(w, 3));
  });
  run.store(op.node(CUDNN_ATTR_OPERATION_POINTWISE_YDESC), std::move(x));
}

}  // namespace

void compute(const DnnNode& graph, const std::map<int64_t, void*>& pointers) {
  Run run(pointers);
  for (const DnnRef& op : graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).nodes) {
    if (const DnnConvNames* names = dnn_conv_names(op->type)) {
      convolve(run, *op, *names);
    } else {
      add(run, *op);
    }
  }
}

}  // namespace reprise::emulator

#endif
