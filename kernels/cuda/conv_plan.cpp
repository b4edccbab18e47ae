#include "conv_plan.h"

#include "conv_graph.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {
namespace {

/// Engines that the heuristics propose, best first.
std::vector<DnnDescriptor> proposals(const DnnDescriptor& graph, cudnnBackendHeurMode_t mode,
                                     const DnnTarget& target) {
  constexpr size_t kMost = 64;  // those of float32 alone come after some 30 that round
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
  return accepts(notes, request.work.dtype, request.tf32);
}

/// Within a catch: for want of memory there may be a plan another time.
void rethrow_out_of_memory(const CudaError& error) {
  if (error.kind() == ErrorKind::OutOfMemory) throw;
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
  } catch (const CudaError& error) {
    rethrow_out_of_memory(error);
    return std::nullopt;  // an engine that does not take this after all
  }
}

}  // namespace

ConvPlan::ConvPlan(DnnDescriptor plan)
    : plan_(std::move(plan)),
      workspace_(
          static_cast<size_t>(plan_.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))) {}

void ConvPlan::run(cudnnHandle_t handle, const ConvOperands& operands, void* workspace) const {
  std::vector<int64_t> ids{0, 1, 2};
  if (operands.back() != nullptr) ids.push_back(3);
  DnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
           static_cast<int64_t>(ids.size()), operands.data());
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

std::optional<ConvPlan> make_conv_plan(const ConvRequest& request, const DnnTarget& target,
                                       cudnnBackendHeurMode_t mode) {
  try {
    const ConvGraph graph(request.work, target.handle);
    for (const DnnDescriptor& proposal : proposals(graph.get(), mode, target)) {
      if (auto plan = try_plan(proposal, request, target)) return plan;
    }
  } catch (const CudaError& error) {  // cuDNN has nothing for this
    rethrow_out_of_memory(error);
  }
  return std::nullopt;
}

std::optional<ConvPlan> make_conv_plan(const ConvRequest& request, const DnnTarget& target) {
  auto plan = make_conv_plan(request, target, CUDNN_HEUR_MODE_A);
  return plan ? std::move(plan) : make_conv_plan(request, target, CUDNN_HEUR_MODE_FALLBACK);
}

}  // namespace reprise::cuda

#endif
