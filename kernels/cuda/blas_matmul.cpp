// cuBLASLt is asked once for the best algorithm of a product; descriptors are made for each call,
// which takes less than a microsecond.

#include "blas_matmul.h"

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "../../core/cuda.h"
#include "handles.h"
#include "on_device.h"

namespace reprise::cuda {
namespace {

using Algorithm = cublasLtMatmulAlgo_t;

struct Destroy {
  void operator()(cublasLtMatmulDesc_t d) const { (void)blas().cublasLtMatmulDescDestroy(d); }
  void operator()(cublasLtMatrixLayout_t d) const { (void)blas().cublasLtMatrixLayoutDestroy(d); }
  void operator()(cublasLtMatmulPreference_t d) const {
    (void)blas().cublasLtMatmulPreferenceDestroy(d);
  }
};
using Operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy>;
using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy>;
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroy>;

template <class V>
void set(const Operation& d, cublasLtMatmulDescAttributes_t attribute, const V& value) {
  REPRISE_CUDA_CHECK(
      blas().cublasLtMatmulDescSetAttribute(d.get(), attribute, &value, sizeof value));
}
template <class V>
void set(const Layout& d, cublasLtMatrixLayoutAttribute_t attribute, const V& value) {
  REPRISE_CUDA_CHECK(
      blas().cublasLtMatrixLayoutSetAttribute(d.get(), attribute, &value, sizeof value));
}
template <class V>
void set(const Preference& d, cublasLtMatmulPreferenceAttributes_t attribute, const V& value) {
  REPRISE_CUDA_CHECK(
      blas().cublasLtMatmulPreferenceSetAttribute(d.get(), attribute, &value, sizeof value));
}

/// Of the matrices, of the sums, and how they are made.
struct Types {
  cudaDataType_t data, scale;
  cublasComputeType_t compute;
};
Types types_of(const BlasProduct& p) {
  if (p.dtype == float64) return {CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F};
  if (p.dtype == float16) return {CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F};
  if (p.dtype == bfloat16) return {CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
  return {CUDA_R_32F, CUDA_R_32F, p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F};
}

Layout layout_of(const BlasProduct& p, const BlasMatrix& m) {
  cublasLtMatrixLayout_t made = nullptr;
  REPRISE_CUDA_CHECK(
      blas().cublasLtMatrixLayoutCreate(&made, types_of(p).data, static_cast<uint64_t>(m.rows),
                                        static_cast<uint64_t>(m.columns), m.leading));
  Layout layout(made);
  set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(p.batch));
  set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, m.step);
  return layout;
}

/// `vector` is the bias, or what the sums go to.
Operation operation_of(const BlasProduct& p, const void* vector) {
  const Types types = types_of(p);
  cublasLtMatmulDesc_t made = nullptr;
  REPRISE_CUDA_CHECK(blas().cublasLtMatmulDescCreate(&made, types.compute, types.scale));
  Operation operation(made);
  const auto said = [](const BlasMatrix& m) { return m.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(operation, CUBLASLT_MATMUL_DESC_TRANSA, said(p.a));
  set(operation, CUBLASLT_MATMUL_DESC_TRANSB, said(p.b));
  if (p.tail != BlasTail::none) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
  return operation;
}

cublasLtEpilogue_t epilogue_of(BlasTail tail, bool relu) {
  switch (tail) {
    case BlasTail::none: return relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
    case BlasTail::bias: return relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    case BlasTail::bias_gelu: return CUBLASLT_EPILOGUE_GELU_BIAS;
    case BlasTail::sums: break;
  }
  return CUBLASLT_EPILOGUE_BGRADB;  // the rows of our A are the columns of its B
}

/// All but the addresses and the algorithm.
struct Descriptors {
  Operation operation;
  Layout a, b, c;

  Descriptors(const BlasProduct& p, const void* vector)
      : operation(operation_of(p, vector)),
        a(layout_of(p, p.a)),
        b(layout_of(p, p.b)),
        c(layout_of(p, p.c)) {}

  void set_epilogue(cublasLtEpilogue_t epilogue) {
    set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
  }
};

Preference preference_of(const BlasProduct& p, size_t workspace) {
  cublasLtMatmulPreference_t made = nullptr;
  REPRISE_CUDA_CHECK(blas().cublasLtMatmulPreferenceCreate(&made));
  Preference preference(made);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{workspace});
  // Parts of a sum are kept in the type that it is made in.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.a.alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.b.alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.c.alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, p.c.alignment);
  return preference;
}

/// The best algorithm that can do both without and with a ReLU, so that a fused product has the
/// bits of a plain one. None when there is none.
std::optional<Algorithm> choose(const BlasProduct& p, const void* vector, size_t workspace) {
  const Preference preference = preference_of(p, workspace);
  Descriptors d(p, vector);
  d.set_epilogue(epilogue_of(p.tail, p.tail == BlasTail::bias));
  std::array<cublasLtMatmulHeuristicResult_t, 8> best{};
  int found = 0;
  const cublasStatus_t status = blas().cublasLtMatmulAlgoGetHeuristic(
      blas_handle(), d.operation.get(), d.a.get(), d.b.get(), d.c.get(), d.c.get(),
      preference.get(), static_cast<int>(best.size()), best.data(), &found);
  if (status == CUBLAS_STATUS_ALLOC_FAILED) check_status(status, "cublasLtMatmulAlgoGetHeuristic");
  d.set_epilogue(epilogue_of(p.tail, false));
  for (int i = 0; i < found; ++i) {
    const cublasLtMatmulHeuristicResult_t& it = best[static_cast<size_t>(i)];
    cublasLtMatmulHeuristicResult_t plain{};
    if (it.state == CUBLAS_STATUS_SUCCESS &&
        blas().cublasLtMatmulAlgoCheck(blas_handle(), d.operation.get(), d.a.get(), d.b.get(),
                                       d.c.get(), d.c.get(), &it.algo,
                                       &plain) == CUBLAS_STATUS_SUCCESS &&
        plain.workspaceSize <= workspace)
      return it.algo;
  }
  return std::nullopt;
}

/// What was chosen on each device. Never destroyed: kernels may run while statics are.
class Choices {
 public:
  static Choices& all() {
    static Choices& choices = *new Choices;
    return choices;
  }

  std::optional<Algorithm> of(const BlasProduct& p, const void* vector, size_t workspace) {
    const std::pair key(current_device(), p);
    {
      std::lock_guard lock(mutex_);
      const auto at = chosen_.find(key);
      if (at != chosen_.end()) return at->second;
    }
    const std::optional<Algorithm> chosen = choose(p, vector, workspace);
    std::lock_guard lock(mutex_);
    return chosen_.emplace(key, chosen).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<int, BlasProduct>, std::optional<Algorithm>> chosen_;
};

const void* vector_of(const Product& p) { return p.sums != nullptr ? p.sums : p.bias; }

void run(const Product& p, const BlasProduct& how, const Algorithm& algorithm, void* workspace,
         size_t bytes, reprise::Stream stream) {
  Descriptors d(how, vector_of(p));
  d.set_epilogue(epilogue_of(how.tail, p.relu));
  const double one64 = 1, zero64 = 0;
  const float one32 = 1, zero32 = 0;
  const bool wide = p.dtype == float64;
  const void* const one = wide ? static_cast<const void*>(&one64) : &one32;
  const void* const zero = wide ? static_cast<const void*>(&zero64) : &zero32;
  REPRISE_CUDA_CHECK(blas().cublasLtMatmul(blas_handle(), d.operation.get(), one, p.b.data,
                                           d.a.get(), p.a.data, d.b.get(), zero, p.c, d.c.get(),
                                           p.c, d.c.get(), &algorithm, workspace, bytes,
                                           static_cast<cudaStream_t>(stream.handle)));
}

}  // namespace

bool try_blas(const Product& p, void* workspace, reprise::Stream stream) {
  if (!has_blas()) return false;
  const std::optional<BlasProduct> how = blas_product(p, allow_tf32());
  if (!how) return false;
  const size_t bytes = product_workspace(p.batch, p.m, p.n) - kWorkspaceAlignment;
  const std::optional<Algorithm> algorithm = Choices::all().of(*how, vector_of(p), bytes);
  if (!algorithm) return false;
  const auto begin = reinterpret_cast<uintptr_t>(workspace);
  const uintptr_t aligned = (begin + kWorkspaceAlignment - 1) / kWorkspaceAlignment;
  run(p, *how, *algorithm, reinterpret_cast<void*>(aligned * kWorkspaceAlignment), bytes, stream);
  return true;
}

}  // namespace reprise::cuda
