#include "conv_graph.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {
namespace {

enum : int64_t { kX, kWeight, kY, kBias, kSums };

cudnnDataType_t data_type(DType t) {
  if (t == float16) return CUDNN_DATA_HALF;
  if (t == bfloat16) return CUDNN_DATA_BFLOAT16;
  return t == float64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
}

/// Attributes of the operation of a pass, in cuDNN's words.
struct Names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t attributes, x, weight, y, alpha, beta;
};

const Names& names(ConvPass pass) {
  static constexpr Names kNames[] = {
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};
  return kNames[static_cast<size_t>(pass)];
}

}  // namespace

ConvGraph::ConvGraph(const ConvWork& work, cudnnHandle_t handle)
    : work_(work),
      type_(data_type(work.dtype)),
      sum_type_(work.dtype == float64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT),
      graph_(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
  const ConvShape& s = work.shape;
  const std::array sizes{s.batch, s.out_channels, s.out_h(), s.out_w()};
  const DnnDescriptor& y = add_tensor(kY, sizes);
  if (work.bias) {
    const DnnDescriptor& sums = add_tensor(kSums, sizes, false);
    add_convolution(sums);
    add_bias(sums, y);
  } else {
    add_convolution(y);
  }
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
  if (handle != nullptr) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
  graph_.finalize();
}

/// What is not in memory is in the wider type.
const DnnDescriptor& ConvGraph::add_tensor(int64_t id, const std::array<int64_t, 4>& sizes,
                                           bool in_memory) {
  DnnDescriptor& t = parts_.emplace_back(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const auto [n, c, h, w] = ConvSteps::dense(sizes[1], sizes[2], sizes[3], work_.channels_last);
  t.set(CUDNN_ATTR_TENSOR_DATA_TYPE, in_memory ? type_ : sum_type_);
  t.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::vector(sizes.begin(), sizes.end()));
  t.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector{n, c, h, w});
  t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
  t.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kDnnAlignment);
  t.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, !in_memory);
  return t.finalize();
}

const DnnDescriptor& ConvGraph::add_attributes() {
  const ConvShape& s = work_.shape;
  DnnDescriptor& c = parts_.emplace_back(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const std::vector<int64_t> padding{s.pad_h, s.pad_w};
  c.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, sum_type_);
  c.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  c.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  c.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::vector<int64_t>{s.dilation_h, s.dilation_w});
  c.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::vector<int64_t>{s.stride_h, s.stride_w});
  c.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding);
  c.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding);
  return c.finalize();
}

void ConvGraph::add_convolution(const DnnDescriptor& y) {
  const ConvShape& s = work_.shape;
  const Names& n = names(work_.pass);
  DnnDescriptor& op = parts_.emplace_back(n.type);
  op.set(n.attributes, add_attributes());
  op.set(n.x, add_tensor(kX, {s.batch, s.in_channels, s.height, s.width}));
  op.set(n.weight,
         add_tensor(kWeight, {s.out_channels, s.in_channels / s.groups, s.kernel_h, s.kernel_w}));
  op.set(n.y, y);
  set_factor(op, n.alpha, 1);
  set_factor(op, n.beta, 0);
  operations_.push_back(op.finalize().get());
}

void ConvGraph::add_bias(const DnnDescriptor& sums, const DnnDescriptor& y) {
  DnnDescriptor& add = parts_.emplace_back(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  add.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_ADD);
  add.set(CUDNN_ATTR_POINTWISE_MATH_PREC, sum_type_);
  add.finalize();
  DnnDescriptor& op = parts_.emplace_back(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, add);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, sums);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
         add_tensor(kBias, {1, work_.shape.out_channels, 1, 1}));
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  operations_.push_back(op.finalize().get());
}

void ConvGraph::set_factor(DnnDescriptor& op, cudnnBackendAttributeName_t name,
                           double factor) const {
  if (sum_type_ == CUDNN_DATA_DOUBLE) {
    op.set(name, factor);
  } else {
    op.set(name, static_cast<float>(factor));
  }
}

}  // namespace reprise::cuda

#endif
