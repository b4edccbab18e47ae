#include "blas.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "../../core/device_context.h"
#include "blas_problem.h"
#include "queue.h"

namespace reprise::emulator {
namespace {

// ---- what is remembered -----------------------------------------------------------------------

struct Record {
  std::mutex mutex;
  std::map<uint32_t, int> products;  // by epilogue
  std::string misuses;

  static Record& get() {
    static Record& record = *new Record;
    return record;
  }
};

cublasStatus_t refuse(std::string_view call, std::string_view why) {
  Record& record = Record::get();
  const std::lock_guard lock(record.mutex);
  ((record.misuses += call) += ": ") += why;
  record.misuses += '\n';
  return CUBLAS_STATUS_INVALID_VALUE;
}

/// An attribute of exactly the documented size.
template <class T>
cublasStatus_t take(T& to, const void* from, size_t bytes, std::string_view call) {
  if (from == nullptr || bytes != sizeof to) return refuse(call, "an attribute of another size");
  std::memcpy(&to, from, sizeof to);
  return CUBLAS_STATUS_SUCCESS;
}

BlasOperation& of(cublasLtMatmulDesc_t d) { return *reinterpret_cast<BlasOperation*>(d); }
BlasLayout& of(cublasLtMatrixLayout_t d) { return *reinterpret_cast<BlasLayout*>(d); }
BlasPreference& of(cublasLtMatmulPreference_t d) { return *reinterpret_cast<BlasPreference*>(d); }

// ---- descriptors ------------------------------------------------------------------------------

cublasStatus_t create(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(new int(0));
  return CUBLAS_STATUS_SUCCESS;
}
const char* status_name(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    default: return "another status";
  }
}

cublasStatus_t create_operation(cublasLtMatmulDesc_t* made, cublasComputeType_t compute,
                                cudaDataType_t scale) {
  const bool wide = compute == CUBLAS_COMPUTE_64F && scale == CUDA_R_64F;
  const bool narrow = (compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_FAST_TF32) &&
                      scale == CUDA_R_32F;
  if (!wide && !narrow) return refuse("MatmulDescCreate", "a scale of another type");
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(new BlasOperation{compute, scale});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t destroy_operation(cublasLtMatmulDesc_t d) {
  delete &of(d);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t set_operation(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t attribute,
                             const void* value, size_t bytes) {
  constexpr std::string_view call = "MatmulDescSetAttribute";
  BlasOperation& op = of(d);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return take(op.transposes_a, value, bytes, call);
    case CUBLASLT_MATMUL_DESC_TRANSB: return take(op.transposes_b, value, bytes, call);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return take(op.epilogue, value, bytes, call);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return take(op.bias, value, bytes, call);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE: return take(op.bias_step, value, bytes, call);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER: return take(op.aux, value, bytes, call);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD: return take(op.aux_leading, value, bytes, call);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE:
      return take(op.aux_step, value, bytes, call);
    default: return refuse(call, "an attribute that is not played");
  }
}

cublasStatus_t create_layout(cublasLtMatrixLayout_t* made, cudaDataType type, uint64_t rows,
                             uint64_t columns, int64_t leading) {
  *made = reinterpret_cast<cublasLtMatrixLayout_t>(new BlasLayout{type, rows, columns, leading});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t destroy_layout(cublasLtMatrixLayout_t d) {
  delete &of(d);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t set_layout(cublasLtMatrixLayout_t d, cublasLtMatrixLayoutAttribute_t attribute,
                          const void* value, size_t bytes) {
  constexpr std::string_view call = "MatrixLayoutSetAttribute";
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return take(of(d).batch, value, bytes, call);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return take(of(d).step, value, bytes, call);
    default: return refuse(call, "an attribute that is not played");
  }
}

cublasStatus_t create_preference(cublasLtMatmulPreference_t* made) {
  *made = reinterpret_cast<cublasLtMatmulPreference_t>(new BlasPreference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t destroy_preference(cublasLtMatmulPreference_t d) {
  delete &of(d);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t set_preference(cublasLtMatmulPreference_t d,
                              cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                              size_t bytes) {
  constexpr std::string_view call = "MatmulPreferenceSetAttribute";
  BlasPreference& p = of(d);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return take(p.workspace, value, bytes, call);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return take(p.reductions, value, bytes, call);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return take(p.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes,
                  call);
    default: return refuse(call, "an attribute that is not played");
  }
}

// ---- algorithms -------------------------------------------------------------------------------

/// Kept in the first word of an algorithm: how many parts it cuts k into, what alignment it needs,
/// and whether it does nothing but a ReLU or its gradient.
struct Algorithm {
  uint16_t parts, alignment;
  uint32_t only_relu;
};
constexpr Algorithm kAlgorithms[] = {{3, 16, 1}, {2, 16, 0}, {1, 1, 0}};

Algorithm read(const cublasLtMatmulAlgo_t& algorithm) {
  return std::bit_cast<Algorithm>(algorithm.data[0]);
}
size_t workspace_of(const Algorithm& how) {
  return how.parts == 1 ? 0 : how.parts * sizeof(double);
}

/// NVIDIA's own tests expect no gradient of an activation where k is 1.
bool suits(const Algorithm& how, const BlasProblem& p) {
  const BlasOperation& op = p.operation;
  if ((op.has_relu_grad() || op.has_gelu_grad()) && p.k() == 1) return false;
  return how.only_relu == 0 || op.has_relu() || op.has_relu_grad();
}

BlasProblem problem_of(cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d) {
  return {of(op), of(a), of(b), of(c), of(d)};
}

cublasStatus_t heuristic(cublasLtHandle_t, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a,
                         cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                         cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference, int most,
                         cublasLtMatmulHeuristicResult_t results[], int* found) {
  const BlasProblem problem = problem_of(op, a, b, c, d);
  if (most <= 0) return refuse("MatmulAlgoGetHeuristic", "room for no result");
  if (const auto fault = problem.fault(); !fault.empty())
    return refuse("MatmulAlgoGetHeuristic", fault);
  const BlasPreference& wanted = of(preference);
  *found = 0;
  for (const Algorithm& how : kAlgorithms) {
    const auto is_enough = [&](uint32_t alignment) { return alignment >= how.alignment; };
    const bool reduces = how.parts > 1;
    if (!std::ranges::all_of(wanted.alignment, is_enough) || !suits(how, problem) ||
        workspace_of(how) > wanted.workspace || *found == most ||
        (reduces && (wanted.reductions & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) == 0))
      continue;
    cublasLtMatmulHeuristicResult_t& it = results[(*found)++];
    it = {};
    it.algo.data[0] = std::bit_cast<uint64_t>(how);
    it.workspaceSize = workspace_of(how);
    it.state = CUBLAS_STATUS_SUCCESS;
  }
  return *found == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_algorithm(cublasLtHandle_t, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a,
                               cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                               cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t* algorithm,
                               cublasLtMatmulHeuristicResult_t* result) {
  const BlasProblem problem = problem_of(op, a, b, c, d);
  if (const auto fault = problem.fault(); !fault.empty()) return refuse("MatmulAlgoCheck", fault);
  const Algorithm how = read(*algorithm);
  if (!suits(how, problem)) return CUBLAS_STATUS_NOT_SUPPORTED;
  result->algo = *algorithm;
  result->workspaceSize = workspace_of(how);
  result->state = CUBLAS_STATUS_SUCCESS;
  return CUBLAS_STATUS_SUCCESS;
}

// ---- products ---------------------------------------------------------------------------------

double read_scale(const BlasOperation& op, const void* at) {
  return op.scale == CUDA_R_64F ? *static_cast<const double*>(at) : *static_cast<const float*>(at);
}

std::string_view fault_of(const BlasProblem& p, const Algorithm& how, const BlasAddresses& at,
                          size_t workspace) {
  const auto is_at = [](const void* place, size_t bytes) {
    return place != nullptr && reinterpret_cast<uintptr_t>(place) % bytes == 0;
  };
  const size_t bytes = std::max<size_t>(how.alignment, bytes_of(p.d.type));
  for (const void* place : {at.a, at.b, at.c, static_cast<const void*>(at.d)}) {
    if (!is_at(place, bytes)) return "a matrix that is not aligned as the algorithm needs";
  }
  const bool same_places = at.c == at.d && p.c.leading == p.d.leading && p.c.step == p.d.step;
  if (at.c == at.d && !same_places) return "C in place of D with other strides";
  if (workspace < workspace_of(how)) return "too little workspace";
  return workspace > 0 && !is_at(at.workspace, 256) ? "a workspace that is not aligned" : "";
}

cublasStatus_t multiply(cublasLtHandle_t handle, cublasLtMatmulDesc_t op, const void* alpha,
                        const void* a, cublasLtMatrixLayout_t at_a, const void* b,
                        cublasLtMatrixLayout_t at_b, const void* beta, const void* c,
                        cublasLtMatrixLayout_t at_c, void* d, cublasLtMatrixLayout_t at_d,
                        const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t bytes,
                        cudaStream_t stream) {
  constexpr std::string_view call = "Matmul";
  if (handle == nullptr || algorithm == nullptr) return refuse(call, "no handle or no algorithm");
  const BlasProblem problem = problem_of(op, at_a, at_b, at_c, at_d);
  if (const auto fault = problem.fault(); !fault.empty()) return refuse(call, fault);
  const Algorithm how = read(*algorithm);
  if (!suits(how, problem)) return refuse(call, "an algorithm that cannot do this");
  const BlasAddresses at{a,        b, c, d, read_scale(of(op), alpha), read_scale(of(op), beta),
                         workspace};
  if (const auto fault = fault_of(problem, how, at, bytes); !fault.empty())
    return refuse(call, fault);
  Record& record = Record::get();
  {
    const std::lock_guard lock(record.mutex);
    ++record.products[problem.operation.epilogue];
  }
  const cudaError_t status =
      enqueue(stream, [problem, at, how] { return run(problem, at, how.parts), cudaSuccess; });
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

constexpr cuda::BlasLibrary kLibrary{.cublasLtCreate = create,
                                     .cublasLtGetStatusName = status_name,
                                     .cublasLtGetStatusString = status_name,
                                     .cublasLtMatmul = multiply,
                                     .cublasLtMatmulDescCreate = create_operation,
                                     .cublasLtMatmulDescDestroy = destroy_operation,
                                     .cublasLtMatmulDescSetAttribute = set_operation,
                                     .cublasLtMatrixLayoutCreate = create_layout,
                                     .cublasLtMatrixLayoutDestroy = destroy_layout,
                                     .cublasLtMatrixLayoutSetAttribute = set_layout,
                                     .cublasLtMatmulPreferenceCreate = create_preference,
                                     .cublasLtMatmulPreferenceDestroy = destroy_preference,
                                     .cublasLtMatmulPreferenceSetAttribute = set_preference,
                                     .cublasLtMatmulAlgoGetHeuristic = heuristic,
                                     .cublasLtMatmulAlgoCheck = check_algorithm};

}  // namespace

PlayedBlas::PlayedBlas() {
  cuda::played_blas = &kLibrary;
  reprise::detail::kernel_settings_changed();
}
PlayedBlas::~PlayedBlas() {
  cuda::played_blas = nullptr;
  reprise::detail::kernel_settings_changed();
}

int PlayedBlas::products() {
  Record& record = Record::get();
  const std::lock_guard lock(record.mutex);
  int all = 0;
  for (const auto& [epilogue, count] : record.products) all += count;
  return all;
}
int PlayedBlas::products(cublasLtEpilogue_t epilogue) {
  Record& record = Record::get();
  const std::lock_guard lock(record.mutex);
  return record.products[epilogue];
}
std::string PlayedBlas::misuses() {
  Record& record = Record::get();
  const std::lock_guard lock(record.mutex);
  return std::exchange(record.misuses, {});
}

}  // namespace reprise::emulator
