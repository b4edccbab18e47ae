// cuBLASLt is asked once for the best algorithm of a product; descriptors are made for each call,
// which takes less than a microsecond.

#include "blas_matmul.h"

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

cublasLtEpilogue_t epilogue_of(BlasTail tail) {
  switch (tail) {
    case BlasTail::none: return CUBLASLT_EPILOGUE_DEFAULT;
    case BlasTail::bias: return CUBLASLT_EPILOGUE_BIAS;
    case BlasTail::bias_relu: return CUBLASLT_EPILOGUE_RELU_BIAS;
    case BlasTail::bias_gelu: return CUBLASLT_EPILOGUE_GELU_BIAS;
    case BlasTail::bias_gelu_aux: return CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
    case BlasTail::relu_grad: return CUBLASLT_EPILOGUE_DRELU;
    case BlasTail::gelu_grad: return CUBLASLT_EPILOGUE_DGELU;
    case BlasTail::sums: break;
  }
  return CUBLASLT_EPILOGUE_BGRADB;  // the rows of our A are the columns of its B
}

Operation operation_of(const BlasProduct& p, const BlasEpilogue& epilogue) {
  const Types types = types_of(p);
  cublasLtMatmulDesc_t made = nullptr;
  REPRISE_CUDA_CHECK(blas().cublasLtMatmulDescCreate(&made, types.compute, types.scale));
  Operation operation(made);
  const auto said = [](const BlasMatrix& m) { return m.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(operation, CUBLASLT_MATMUL_DESC_TRANSA, said(p.a));
  set(operation, CUBLASLT_MATMUL_DESC_TRANSB, said(p.b));
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p.tail));
  if (epilogue.vector != nullptr)
    set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, epilogue.vector);
  if (epilogue.aux != nullptr) {
    set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, epilogue.aux);
    set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p.aux_leading);
  }
  return operation;
}

/// All but the addresses and the algorithm.
struct Descriptors {
  Operation operation;
  Layout a, b, c;

  Descriptors(const BlasProduct& p, const BlasEpilogue& epilogue)
      : operation(operation_of(p, epilogue)),
        a(layout_of(p, p.a)),
        b(layout_of(p, p.b)),
        c(layout_of(p, p.c)) {}
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

/// The best algorithm, or none when there is none.
std::optional<Algorithm> choose(const BlasProduct& p, const BlasEpilogue& epilogue,
                                size_t workspace) {
  const Preference preference = preference_of(p, workspace);
  const Descriptors d(p, epilogue);
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status = blas().cublasLtMatmulAlgoGetHeuristic(
      blas_handle(), d.operation.get(), d.a.get(), d.b.get(), d.c.get(), d.c.get(),
      preference.get(), 1, &best, &found);
  if (status == CUBLAS_STATUS_ALLOC_FAILED) check_status(status, "cublasLtMatmulAlgoGetHeuristic");
  if (found == 0 || best.state != CUBLAS_STATUS_SUCCESS) return std::nullopt;
  return best.algo;
}

bool suits(const Algorithm& algorithm, const BlasProduct& p, const BlasEpilogue& epilogue,
           size_t workspace) {
  const Descriptors d(p, epilogue);
  cublasLtMatmulHeuristicResult_t it{};
  return blas().cublasLtMatmulAlgoCheck(blas_handle(), d.operation.get(), d.a.get(), d.b.get(),
                                        d.c.get(), d.c.get(), &algorithm,
                                        &it) == CUBLAS_STATUS_SUCCESS &&
         it.workspaceSize <= workspace;
}

/// What was chosen on each device. Never destroyed: kernels may run while statics are.
class Choices {
 public:
  static Choices& all() {
    static Choices& choices = *new Choices;
    return choices;
  }

  std::optional<Algorithm> of(const BlasProduct& p, const BlasEpilogue& epilogue,
                              size_t workspace) {
    const std::pair key(current_device(), p);
    {
      std::lock_guard lock(mutex_);
      const auto at = chosen_.find(key);
      if (at != chosen_.end()) return at->second;
    }
    const std::optional<Algorithm> chosen = p.tail == BlasTail::relu_grad
                                                ? masked(p, epilogue, workspace)
                                                : choose(p, epilogue, workspace);
    std::lock_guard lock(mutex_);
    return chosen_.emplace(key, chosen).first->second;
  }

 private:
  /// That of the product without a mask, so that masked sums have the bits of plain ones.
  std::optional<Algorithm> masked(const BlasProduct& p, const BlasEpilogue& epilogue,
                                  size_t workspace) {
    BlasProduct plain = p;
    plain.tail = BlasTail::none;
    plain.aux_leading = 0;
    const std::optional<Algorithm> chosen = of(plain, {}, workspace);
    return chosen && suits(*chosen, p, epilogue, workspace) ? chosen : std::nullopt;
  }

  std::mutex mutex_;
  std::map<std::pair<int, BlasProduct>, std::optional<Algorithm>> chosen_;
};

/// How a product is made.
struct Way {
  BlasProduct product;
  Algorithm algorithm;
  size_t workspace;  // bytes
};

std::optional<Way> way_of(const Product& p, const BlasEpilogue& epilogue) {
  if (!has_blas()) return std::nullopt;
  const std::optional<BlasProduct> how = blas_product(p, epilogue, allow_tf32());
  if (!how) return std::nullopt;
  const size_t bytes = product_workspace(p.batch, p.m, p.n) - kWorkspaceAlignment;
  const std::optional<Algorithm> algorithm = Choices::all().of(*how, epilogue, bytes);
  if (!algorithm) return std::nullopt;
  return Way{*how, *algorithm, bytes};
}

void run(const Product& p, const BlasEpilogue& epilogue, const Way& way, void* workspace,
         reprise::Stream stream) {
  const Descriptors d(way.product, epilogue);
  const double one64 = 1, zero64 = 0;
  const float one32 = 1, zero32 = 0;
  const bool wide = p.dtype == float64;
  const void* const one = wide ? static_cast<const void*>(&one64) : &one32;
  const void* const zero = wide ? static_cast<const void*>(&zero64) : &zero32;
  REPRISE_CUDA_CHECK(blas().cublasLtMatmul(blas_handle(), d.operation.get(), one, p.b.data,
                                           d.a.get(), p.a.data, d.b.get(), zero, p.c, d.c.get(),
                                           p.c, d.c.get(), &way.algorithm, workspace, way.workspace,
                                           static_cast<cudaStream_t>(stream.handle)));
}

}  // namespace

bool can_blas(const Product& p, const BlasEpilogue& epilogue) {
  return way_of(p, epilogue).has_value();
}

bool try_blas(const Product& p, const BlasEpilogue& epilogue, void* workspace,
              reprise::Stream stream) {
  const std::optional<Way> way = way_of(p, epilogue);
  if (!way) return false;
  const auto begin = reinterpret_cast<uintptr_t>(workspace);
  const uintptr_t aligned = (begin + kWorkspaceAlignment - 1) / kWorkspaceAlignment;
  run(p, epilogue, *way, reinterpret_cast<void*>(aligned * kWorkspaceAlignment), stream);
  return true;
}

}  // namespace reprise::cuda
