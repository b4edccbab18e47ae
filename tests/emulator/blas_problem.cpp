#include "blas_problem.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "../../core/half.h"

namespace reprise::emulator {

size_t bytes_of(cudaDataType_t type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

namespace {

bool lies_apart(const BlasLayout& x) {
  return x.leading >= static_cast<int64_t>(x.rows) && x.rows > 0 && x.columns > 0;
}

bool is_aligned(const void* p, size_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

std::string_view fault_of_types(const BlasProblem& p) {
  const cudaDataType_t type = p.d.type;
  if (p.a.type != type || p.b.type != type || p.c.type != type) return "types differ";
  const bool wide = p.operation.compute == CUBLAS_COMPUTE_64F;
  if (wide != (type == CUDA_R_64F)) return "another compute type than the matrices allow";
  const bool fast = p.operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  return fast && type != CUDA_R_32F ? "TF32 of other than float32" : "";
}

std::string_view fault_of_shapes(const BlasProblem& p) {
  const bool turns_a = p.operation.transposes_a != CUBLAS_OP_N;
  const bool turns_b = p.operation.transposes_b != CUBLAS_OP_N;
  if ((turns_a ? p.a.columns : p.a.rows) != p.d.rows) return "A and D have other rows";
  if ((turns_b ? p.b.rows : p.b.columns) != p.d.columns) return "B and D have other columns";
  if ((turns_b ? p.b.columns : p.b.rows) != static_cast<uint64_t>(p.k())) return "k differs";
  if (p.c.rows != p.d.rows || p.c.columns != p.d.columns) return "C and D differ";
  for (const BlasLayout* x : {&p.a, &p.b, &p.c, &p.d}) {
    if (!lies_apart(*x)) return "a leading dimension below the rows, or nothing";
    if (x->batch != p.d.batch || x->batch < 1) return "batches differ";
    if (x->step < 0) return "a negative step of a batch";
  }
  const bool overlaps = p.d.batch > 1 && p.d.step < p.d.leading * p.n();
  return overlaps ? "results overlap" : "";
}

std::string_view fault_of_epilogue(const BlasProblem& p) {
  const BlasOperation& op = p.operation;
  constexpr uint32_t known[] = {
      CUBLASLT_EPILOGUE_DEFAULT,  CUBLASLT_EPILOGUE_RELU,        CUBLASLT_EPILOGUE_RELU_AUX,
      CUBLASLT_EPILOGUE_BIAS,     CUBLASLT_EPILOGUE_RELU_BIAS,   CUBLASLT_EPILOGUE_RELU_AUX_BIAS,
      CUBLASLT_EPILOGUE_DRELU,    CUBLASLT_EPILOGUE_DRELU_BGRAD, CUBLASLT_EPILOGUE_GELU,
      CUBLASLT_EPILOGUE_GELU_AUX, CUBLASLT_EPILOGUE_GELU_BIAS,   CUBLASLT_EPILOGUE_GELU_AUX_BIAS,
      CUBLASLT_EPILOGUE_DGELU,    CUBLASLT_EPILOGUE_DGELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA,
      CUBLASLT_EPILOGUE_BGRADB};
  if (std::ranges::find(known, op.epilogue) == std::end(known)) return "no such epilogue";
  if (op.uses_bias() && op.bias == nullptr) return "no bias";
  if (op.uses_bias() && !is_aligned(op.bias, bytes_of(p.d.type))) return "a bias between elements";
  if (!op.has_aux()) return "";
  const int64_t unit = op.has_relu() || op.has_relu_grad() ? 128 : 8;
  if (op.aux == nullptr || !is_aligned(op.aux, 16)) return "no aux, or not at 16 bytes";
  if (op.aux_leading % unit != 0 || op.aux_leading < p.m()) return "aux leads by too little";
  const bool overlaps = p.d.batch > 1 && op.aux_step < op.aux_leading * p.n();
  return op.aux_step % unit != 0 || overlaps ? "aux of a batch overlaps" : "";
}

}  // namespace

std::string_view BlasProblem::fault() const {
  for (const auto find : {fault_of_types, fault_of_shapes, fault_of_epilogue}) {
    if (const std::string_view found = find(*this); !found.empty()) return found;
  }
  return "";
}

// ---- the product ------------------------------------------------------------------------------

namespace {

/// As TF32 reads it: 10 bits behind the point.
float cut(float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xFFFFE000U); }

double gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double gelu_slope(double x) {
  const double scale = std::sqrt(2 / M_PI), t = std::tanh(scale * (x + 0.044715 * x * x * x));
  return (1 + t + x * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x)) / 2;
}

template <class T>
class Product {
 public:
  using Sum = std::conditional_t<sizeof(T) == 8, double, float>;

  Product(const BlasProblem& problem, const BlasAddresses& at, int parts)
      : p_(problem), op_(problem.operation), at_(at), parts_(parts) {}

  void run() {
    for (int64_t i = 0; i < p_.d.batch; ++i) run_one(i);
  }

 private:
  Sum element(const void* data, const BlasLayout& x, bool turned, int64_t row,
              int64_t column) const {
    if (turned) std::swap(row, column);
    const T value = static_cast<const T*>(data)[matrix_ * x.step + column * x.leading + row];
    if constexpr (sizeof(T) == 4) {
      if (op_.compute == CUBLAS_COMPUTE_32F_FAST_TF32) return cut(value);
    }
    return static_cast<Sum>(value);
  }
  Sum a(int64_t row, int64_t k) const {
    return element(at_.a, p_.a, op_.transposes_a != CUBLAS_OP_N, row, k);
  }
  Sum b(int64_t k, int64_t column) const {
    return element(at_.b, p_.b, op_.transposes_b != CUBLAS_OP_N, k, column);
  }

  Sum sum_of(int64_t row, int64_t column) const {
    Sum total = 0;
    for (int part = 0; part < parts_; ++part) {
      Sum sum = 0;
      const int64_t end = p_.k() * (part + 1) / parts_;
      for (int64_t k = p_.k() * part / parts_; k < end; ++k) sum += a(row, k) * b(k, column);
      if (parts_ > 1) static_cast<Sum*>(at_.workspace)[part] = sum;
      total += sum;
    }
    return total;
  }

  /// What the epilogue makes of a value, and what it leaves in the aux.
  Sum finished(Sum v, int64_t row, int64_t column) const {
    if (op_.has_bias()) v += static_cast<Sum>(bias()[row]);
    const int64_t at = matrix_ * op_.aux_step + column * op_.aux_leading + row;
    auto* const bits = static_cast<uint8_t*>(op_.aux) + at / 8;
    auto* const before = static_cast<T*>(op_.aux) + at;
    if (op_.has_aux() && op_.has_relu()) {
      const int bit = 1 << at % 8;
      *bits = static_cast<uint8_t>(v >= 0 ? *bits | bit : *bits & ~bit);
    }
    if (op_.has_aux() && op_.has_gelu()) *before = static_cast<T>(v);
    if (op_.has_relu()) return v > 0 ? v : 0;  // users report that NaN is lost
    if (op_.has_gelu()) return static_cast<Sum>(gelu(v));
    if (op_.has_relu_grad()) return (*bits >> at % 8 & 1) != 0 ? v : 0;
    if (op_.has_gelu_grad()) return v * static_cast<Sum>(gelu_slope(static_cast<Sum>(*before)));
    return v;
  }

  T* bias() const { return static_cast<T*>(op_.bias) + matrix_ * op_.bias_step; }

  void run_one(int64_t matrix) {
    matrix_ = matrix;
    std::vector<Sum> rows(op_.sums_result() ? static_cast<size_t>(p_.m()) : 0);
    for (int64_t column = 0; column < p_.n(); ++column) {
      for (int64_t row = 0; row < p_.m(); ++row) {
        const Sum v = finished(scaled(row, column), row, column);
        static_cast<T*>(at_.d)[matrix * p_.d.step + column * p_.d.leading + row] =
            static_cast<T>(v);
        if (!rows.empty()) rows[static_cast<size_t>(row)] += v;
      }
    }
    for (size_t row = 0; row < rows.size(); ++row) bias()[row] = static_cast<T>(rows[row]);
    if (op_.sums_a()) sum_factor(p_.m(), [&](int64_t i, int64_t k) { return a(i, k); });
    if (op_.sums_b()) sum_factor(p_.n(), [&](int64_t i, int64_t k) { return b(k, i); });
  }

  /// C is not read where it counts nothing.
  Sum scaled(int64_t row, int64_t column) const {
    const Sum v = static_cast<Sum>(at_.alpha) * sum_of(row, column);
    if (at_.beta == 0) return v;
    return v + static_cast<Sum>(at_.beta) * element(at_.c, p_.c, false, row, column);
  }

  template <class F>
  void sum_factor(int64_t size, F value) {
    for (int64_t i = 0; i < size; ++i) {
      Sum sum = 0;
      for (int64_t k = 0; k < p_.k(); ++k) sum += value(i, k);
      bias()[i] = static_cast<T>(sum);
    }
  }

  const BlasProblem& p_;
  const BlasOperation& op_;
  const BlasAddresses& at_;
  int parts_;
  int64_t matrix_ = 0;
};

}  // namespace

void run(const BlasProblem& problem, const BlasAddresses& at, int parts) {
  switch (problem.d.type) {
    case CUDA_R_64F: return Product<double>(problem, at, parts).run();
    case CUDA_R_16F: return Product<Half>(problem, at, parts).run();
    case CUDA_R_16BF: return Product<BFloat16>(problem, at, parts).run();
    default: return Product<float>(problem, at, parts).run();
  }
}

}  // namespace reprise::emulator
