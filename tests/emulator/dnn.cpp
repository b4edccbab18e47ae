#include "dnn.h"

#include <algorithm>
#include <atomic>

#include "../../core/device_context.h"
#include "dnn_descriptor.h"
#include "queue.h"

#if defined(REPRISE_HAS_CUDNN)

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace reprise::emulator {
namespace {

std::atomic<int> executed{0};
std::atomic<cudnnStatus_t> no_plans{CUDNN_STATUS_SUCCESS};

/// The engines that heuristics propose, in their order: first one that is not to be accepted.
struct Engine {
  cudnnBackendNumericalNote_t note;
  int64_t workspace;
};
constexpr Engine kEngines[] = {{CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, 0},
                               {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, 1003},
                               {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP, 301}};

DnnNode& node_of(cudnnBackendDescriptor_t d) { return **static_cast<DnnRef*>(d); }

/// Of an ENGINECFG or ENGINE descriptor.
const Engine& engine_of(const DnnNode& node) {
  return kEngines[node.one<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX)];
}

cudnnStatus_t CUDNNWINAPI create(cudnnHandle_t* handle) {
  return *handle = new cudnnContext, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t CUDNNWINAPI set_stream(cudnnHandle_t handle, cudaStream_t stream) {
  return handle->stream = stream, CUDNN_STATUS_SUCCESS;
}
const char* CUDNNWINAPI error_string(cudnnStatus_t status) {
  return status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : "another status";
}
void CUDNNWINAPI last_error(char* message, size_t size) {
  if (size > 0) *message = '\0';
}
size_t CUDNNWINAPI version() { return CUDNN_VERSION; }

cudnnStatus_t CUDNNWINAPI create_descriptor(cudnnBackendDescriptorType_t type,
                                            cudnnBackendDescriptor_t* made) {
  auto node = std::make_shared<DnnNode>();
  node->type = type;
  return *made = new DnnRef(std::move(node)), CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t CUDNNWINAPI destroy_descriptor(cudnnBackendDescriptor_t d) {
  return delete static_cast<DnnRef*>(d), CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t CUDNNWINAPI set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                              cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  if (d == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  return set_attribute(node_of(d), name, type, count, values);
}

cudnnStatus_t CUDNNWINAPI finalize_descriptor(cudnnBackendDescriptor_t d) {
  if (d == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  const bool is_plan = node_of(d).type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
  if (is_plan && no_plans != CUDNN_STATUS_SUCCESS) return no_plans;
  return finalize(node_of(d));
}

/// Makes `d` the finalized engine, or its configuration, for a graph.
void become_engine(DnnNode& d, const DnnRef& graph, int64_t index) {
  DnnValue number;
  number.bytes.resize(sizeof index);
  std::memcpy(number.bytes.data(), &index, sizeof index);
  d.attributes[CUDNN_ATTR_ENGINE_GLOBAL_INDEX] = std::move(number);
  d.attributes[CUDNN_ATTR_ENGINE_OPERATION_GRAPH].nodes = {graph};
  d.finalized = true;
}

template <class T>
cudnnStatus_t give(T value, int64_t* count, void* to) {
  std::memcpy(to, &value, sizeof value);
  if (count != nullptr) *count = 1;
  return CUDNN_STATUS_SUCCESS;
}

/// For float64 the mode that knows tuned engines fails, which the real one may do as well.
bool is_wide(const DnnNode& graph) {
  return std::ranges::any_of(tensors_of(graph), [](const auto& tensor) {
    return tensor.second->template one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE) ==
           CUDNN_DATA_DOUBLE;
  });
}

cudnnStatus_t give_engines(const DnnNode& heuristics, int64_t room, int64_t* count, void* to) {
  const auto mode = heuristics.one<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE);
  const DnnRef& graph = heuristics.attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).nodes[0];
  if (mode == CUDNN_HEUR_MODE_A && is_wide(*graph)) return CUDNN_STATUS_NOT_SUPPORTED;
  const int64_t first = mode == CUDNN_HEUR_MODE_FALLBACK ? 2 : 0, number = first == 2 ? 1 : 2;
  for (int64_t i = 0; i < std::min(room, number); ++i) {
    become_engine(node_of(static_cast<cudnnBackendDescriptor_t*>(to)[i]), graph, first + i);
  }
  return *count = number, CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t CUDNNWINAPI get(cudnnBackendDescriptor_t const d, cudnnBackendAttributeName_t name,
                              cudnnBackendAttributeType_t type, int64_t room, int64_t* count,
                              void* to) {
  if (d == nullptr || to == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  const DnnNode& node = node_of(d);
  if (!node.finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  if (room < 1) return CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT;
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    return give_engines(node, room, count, to);
  }
  if (name == CUDNN_ATTR_ENGINECFG_ENGINE && type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    become_engine(node_of(*static_cast<cudnnBackendDescriptor_t*>(to)),
                  node.attributes.at(CUDNN_ATTR_ENGINE_OPERATION_GRAPH).nodes[0],
                  node.one<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
    return *count = 1, CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE && type == CUDNN_TYPE_NUMERICAL_NOTE) {
    return give(engine_of(node).note, count, to);
  }
  if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && type == CUDNN_TYPE_INT64) {
    return give(engine_of(node.node(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)).workspace, count, to);
  }
  return CUDNN_STATUS_BAD_PARAM;
}

bool is_virtual(const DnnNode& t) {
  return t.has(CUDNN_ATTR_TENSOR_IS_VIRTUAL) && t.one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL);
}

/// A pointer for every tensor in memory, aligned as it says, and for nothing else.
cudnnStatus_t check_pointers(const DnnNode& graph, const std::map<int64_t, void*>& pointers) {
  size_t in_memory = 0;
  for (const auto& [id, tensor] : tensors_of(graph)) {
    if (is_virtual(*tensor)) continue;
    ++in_memory;
    const auto at = pointers.find(id);
    if (at == pointers.end()) return CUDNN_STATUS_BAD_PARAM;
    if (at->second == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    const auto alignment = tensor->one<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
    if (reinterpret_cast<intptr_t>(at->second) % alignment != 0) {
      return CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER;
    }
  }
  return in_memory == pointers.size() ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

/// The workspace is written over, so that it is known to be there.
cudnnStatus_t CUDNNWINAPI execute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  if (handle == nullptr || plan == nullptr || pack == nullptr) {
    return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  }
  const DnnNode &p = node_of(plan), &v = node_of(pack);
  if (!p.finalized || !v.finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  const DnnNode& config = p.node(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  const DnnRef graph = config.attributes.at(CUDNN_ATTR_ENGINE_OPERATION_GRAPH).nodes[0];
  const auto ids = v.all<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto data = v.all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (ids.size() != data.size()) return CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND;
  std::map<int64_t, void*> pointers;
  for (size_t i = 0; i < ids.size(); ++i) pointers.emplace(ids[i], data[i]);
  const cudnnStatus_t status = check_pointers(*graph, pointers);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  const auto bytes = static_cast<size_t>(engine_of(config).workspace);
  void* const workspace = v.one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (bytes > 0 && workspace == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  ++executed;
  (void)enqueue(handle->stream, [=] {
    if (bytes > 0) std::memset(workspace, 0xFF, bytes);
    compute(*graph, pointers);
    return cudaSuccess;
  });
  return CUDNN_STATUS_SUCCESS;
}

constexpr cuda::DnnLibrary kLibrary{.cudnnCreate = create,
                                    .cudnnSetStream = set_stream,
                                    .cudnnGetErrorString = error_string,
                                    .cudnnGetLastErrorString = last_error,
                                    .cudnnGetVersion = version,
                                    .cudnnBackendCreateDescriptor = create_descriptor,
                                    .cudnnBackendDestroyDescriptor = destroy_descriptor,
                                    .cudnnBackendSetAttribute = set,
                                    .cudnnBackendGetAttribute = get,
                                    .cudnnBackendFinalize = finalize_descriptor,
                                    .cudnnBackendExecute = execute};

}  // namespace

PlayedDnn::PlayedDnn() {
  cuda::played_dnn = &kLibrary;
  detail::kernel_settings_changed();
}
PlayedDnn::~PlayedDnn() {
  refuse_plans(CUDNN_STATUS_SUCCESS);
  cuda::played_dnn = nullptr;
  detail::kernel_settings_changed();
}
void PlayedDnn::refuse_plans(cudnnStatus_t reason) const { no_plans = reason; }
int PlayedDnn::executions() { return executed; }

}  // namespace reprise::emulator

#endif
