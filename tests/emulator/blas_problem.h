#pragma once
// A product as cuBLASLt is told of it, and what of it is allowed.

#include <cublasLt.h>

#include <string_view>

namespace reprise::emulator {

struct BlasOperation {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  int32_t transposes_a = CUBLAS_OP_N, transposes_b = CUBLAS_OP_N;
  uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;
  int64_t bias_step = 0;  // to the next of the batch
  void* aux = nullptr;
  int64_t aux_leading = 0, aux_step = 0;

  bool has_bias() const {
    return (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0 && epilogue < CUBLASLT_EPILOGUE_BGRADA;
  }
  bool has_relu() const { return (epilogue & CUBLASLT_EPILOGUE_RELU) != 0; }
  bool has_gelu() const { return (epilogue & CUBLASLT_EPILOGUE_GELU) != 0; }
  bool has_relu_grad() const { return (epilogue & 8) != 0; }
  bool has_gelu_grad() const { return (epilogue & 64) != 0; }
  bool has_aux() const { return (epilogue & 128) != 0; }
  bool sums_result() const { return (epilogue & 16) != 0; }
  bool sums_a() const { return epilogue == CUBLASLT_EPILOGUE_BGRADA; }
  bool sums_b() const { return epilogue == CUBLASLT_EPILOGUE_BGRADB; }
  bool uses_bias() const { return has_bias() || sums_result() || sums_a() || sums_b(); }
};

/// Dense columns.
struct BlasLayout {
  cudaDataType_t type;
  uint64_t rows, columns;
  int64_t leading;
  int32_t batch = 1;
  int64_t step = 0;
};

struct BlasPreference {
  uint64_t workspace = 0;
  uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
  uint32_t alignment[4] = {256, 256, 256, 256};
};

struct BlasProblem {
  BlasOperation operation;
  BlasLayout a, b, c, d;

  int64_t m() const { return static_cast<int64_t>(d.rows); }
  int64_t n() const { return static_cast<int64_t>(d.columns); }
  int64_t k() const {
    return static_cast<int64_t>(operation.transposes_a == CUBLAS_OP_N ? a.columns : a.rows);
  }
  /// What is wrong with it, or "".
  std::string_view fault() const;
};

struct BlasAddresses {
  const void *a, *b, *c;
  void* d;
  double alpha, beta;
  void* workspace;
};

size_t bytes_of(cudaDataType_t type);
/// D and what else the epilogue makes. The sums over k are made in `parts` parts, which are kept in
/// the workspace when they are several.
void run(const BlasProblem& problem, const BlasAddresses& at, int parts);

}  // namespace reprise::emulator
