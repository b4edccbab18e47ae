#include "conv_plan.h"

#include <deque>

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {
namespace {

/// Operands are known by their place in ConvPlan::run.
enum : int64_t { kX, kWeight, kY };

/// A graph of one operation.
class ConvGraph {
 public:
  ConvGraph(const ConvRequest& request, const DnnTarget& target)
      : request_(request),
        type_(request.dtype == float64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT),
        graph_(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    add_convolution();
    if (target.handle != nullptr) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
    graph_.finalize();
  }

  const DnnDescriptor& get() const { return graph_; }

 private:
  const DnnDescriptor& add_tensor(int64_t id, const Shape& shape) {
    DnnDescriptor& t = parts_.emplace_back(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const Strides strides = contiguous_strides(shape);
    t.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type_);
    t.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::vector<int64_t>(shape.begin(), shape.end()));
    t.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>(strides.begin(), strides.end()));
    t.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id);
    t.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kDnnAlignment);
    return t.finalize();
  }

  DnnDescriptor& add_attributes() {
    const ConvShape& s = request_.shape;
    DnnDescriptor& c = parts_.emplace_back(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    const std::vector<int64_t> padding{s.pad_h, s.pad_w};
    c.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, type_);
    c.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
    c.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
    c.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::vector<int64_t>{s.dilation_h, s.dilation_w});
    c.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::vector<int64_t>{s.stride_h, s.stride_w});
    c.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding);
    c.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding);
    return c.finalize();
  }

  /// Attributes of the operation of a pass, in cuDNN's words.
  struct Names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t attributes, x, weight, y, alpha, beta;
  };
  static const Names& names(ConvPass pass) {
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

  void add_convolution() {
    const ConvShape& s = request_.shape;
    const Names& n = names(request_.pass);
    DnnDescriptor& op = parts_.emplace_back(n.type);
    op.set(n.attributes, add_attributes());
    op.set(n.x, add_tensor(kX, {s.batch, s.in_channels, s.height, s.width}));
    op.set(n.weight,
           add_tensor(kWeight, {s.out_channels, s.in_channels / s.groups, s.kernel_h, s.kernel_w}));
    op.set(n.y, add_tensor(kY, {s.batch, s.out_channels, s.out_h(), s.out_w()}));
    set_factor(op, n.alpha, 1);
    set_factor(op, n.beta, 0);
    graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, op.finalize());
  }
  void set_factor(DnnDescriptor& op, cudnnBackendAttributeName_t name, double factor) const {
    if (type_ == CUDNN_DATA_DOUBLE) {
      op.set(name, factor);
    } else {
      op.set(name, static_cast<float>(factor));
    }
  }

  const ConvRequest& request_;
  cudnnDataType_t type_;
  std::deque<DnnDescriptor> parts_;  // they live until the graph is finalized
  DnnDescriptor graph_;
};

/// Engines that the heuristics propose, best first.
std::vector<DnnDescriptor> proposals(const DnnDescriptor& graph, cudnnBackendHeurMode_t mode,
                                     const DnnTarget& target) {
  constexpr size_t kMost = 16;
  DnnDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.properties != nullptr) {
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
  }
  heuristics.finalize();
  std::vector<DnnDescriptor> engines;
  std::vector<cudnnBackendDescriptor_t> places;
  for (size_t i = 0; i < kMost; ++i) {
    places.push_back(engines.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).get());
  }
  const size_t found = heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, std::move(places)).size();
  while (engines.size() > found) engines.pop_back();
  return engines;
}

bool accepts_engine(const DnnDescriptor& proposal, const ConvRequest& request) {
  const DnnDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  std::vector<cudnnBackendDescriptor_t> place{engine.get()};
  (void)proposal.get(CUDNN_ATTR_ENGINECFG_ENGINE, std::move(place));
  const auto notes =
      engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                 std::vector<cudnnBackendNumericalNote_t>(CUDNN_NUMERICAL_NOTE_TYPE_COUNT));
  return accepts(notes, request.dtype, request.tf32);
}

/// The plan of a proposal, unless it needs more than there is room for.
std::optional<ConvPlan> try_plan(const DnnDescriptor& proposal, const ConvRequest& request,
                                 const DnnTarget& target) {
  try {
    if (!accepts_engine(proposal, request)) return std::nullopt;
    DnnDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, proposal);
    if (target.handle != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
    if (target.properties != nullptr) {
      plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties);
    }
    plan.finalize();
    ConvPlan made(std::move(plan));
    if (made.workspace() > request.room) return std::nullopt;
    return made;
  } catch (const CudaError&) {  // an engine that does not take this after all
    return std::nullopt;
  }
}

}  // namespace

ConvPlan::ConvPlan(DnnDescriptor plan)
    : plan_(std::move(plan)),
      workspace_(
          static_cast<size_t>(plan_.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))) {}

void ConvPlan::run(cudnnHandle_t handle, const std::array<void*, 3>& operands,
                   void* workspace) const {
  DnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::vector<int64_t>{kX, kWeight, kY});
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, operands.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  pack.finalize();
  REPRISE_CUDA_CHECK(dnn().cudnnBackendExecute(handle, plan_.get(), pack.get()));
}

bool accepts(std::span<const cudnnBackendNumericalNote_t> notes, DType dtype, bool tf32) {
  const auto refused = [&](cudnnBackendNumericalNote_t note) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION: return true;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE: return dtype == float32 && !tf32;
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13: return !tf32;
      default: return false;
    }
  };
  return std::none_of(notes.begin(), notes.end(), refused);
}

std::optional<ConvPlan> make_conv_plan(const ConvRequest& request, const DnnTarget& target) {
  try {
    const ConvGraph graph(request, target);
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
      for (const DnnDescriptor& proposal : proposals(graph.get(), mode, target)) {
        if (auto plan = try_plan(proposal, request, target)) return plan;
      }
    }
  } catch (const CudaError&) {  // cuDNN has nothing for this
  }
  return std::nullopt;
}

}  // namespace reprise::cuda

#endif
