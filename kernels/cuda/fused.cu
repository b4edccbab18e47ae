// A straight line of elementwise ops in one launch: compiled for the device where there is a
// compiler, else by a kernel that reads the line step by step. Its registers lie in shared memory,
// a column for each thread: an operand takes one from its step to its last use. A thread works on
// several elements at a time, so that finding out what a step is costs less. An element goes
// through the bodies of the single ops either way, so it gets their bits.

#include "../../core/ops/fused.h"

#include "fused_compiled.h"
#include "half_number.cuh"
#include "launch.cuh"
#include "walk.cuh"

namespace reprise {
namespace cuda {
namespace {

constexpr unsigned kFusedThreads = 128;  // whose registers, were there 48, are 48 KB
constexpr int kMostElements = 4;         // of a thread

/// Which register an operand is kept in.
class RegisterMap {
 public:
  explicit RegisterMap(const FusedCode& code) {
    for (int i = 0; i < code.steps; ++i) {
      for_each_operand(code.step[i], [&](int k) { last_use_[k] = i; });
    }
    for (int r = 0; r < code.results; ++r) last_use_[code.result[r]] = code.steps;
    for (int k = 0; k < code.inputs; ++k) take(k);
    for (int i = 0; i < code.steps; ++i) {
      for_each_operand(code.step[i], [&](int k) {
        if (last_use_[k] == i) free_ |= uint64_t{1} << of[k];
      });
      take(code.inputs + i);
    }
  }

  uint8_t of[kMostFusedOperands] = {};
  int count = 0;

 private:
  template <class F>
  static void for_each_operand(const FusedCode::Step& step, F f) {
    std::for_each_n(step.in, elementwise_arity(step.op), f);
  }
  void take(int operand) {
    of[operand] = static_cast<uint8_t>(std::countr_zero(free_));
    free_ &= free_ - 1;
    count = std::max(count, of[operand] + 1);
  }

  uint64_t free_ = ~uint64_t{0};
  int last_use_[kMostFusedOperands] = {};
};

/// What the kernel reads.
struct Line {
  FusedCode code;
  uint8_t registers[kMostFusedOperands];
  int elements;  // of a thread
  void* data[kMostOperands];
};

// ---- registers --------------------------------------------------------------------------------

template <class T>
__device__ uint64_t to_bits(T x) {
  uint64_t bits = 0;
  memcpy(&bits, &x, sizeof(x));
  return bits;
}
template <class T>
__device__ T from_bits(uint64_t bits) {
  T x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}

/// Those of a thread.
class Registers {
 public:
  __device__ explicit Registers(const Line& line) : line_(line) {}

  __device__ uint64_t& at(int operand, int element) const {
    const int row = line_.registers[operand] * line_.elements + element;
    return dynamic_shared<uint64_t>()[row * blockDim.x + threadIdx.x];
  }
  /// What bodies take: a number, or the condition of `where`.
  template <class Op, class T, int I>
  __device__ auto operand(int k, int element) const {
    const uint64_t bits = at(k, element);
    if constexpr (kSame<Op, Where> && I == 0) {
      return bits != 0;
    } else {
      return cuda::operand(from_bits<T>(bits));
    }
  }

 private:
  const Line& line_;
};

// ---- steps ------------------------------------------------------------------------------------

/// Calls f.operator()<T>() with the type that elements of `dtype` have in registers: 16 bits are
/// float there, rounded by each step.
template <class F>
__device__ void visit_element(DType dtype, const F& f) {
  switch (dtype) {
    case DType::float16:
    case DType::bfloat16:
    case DType::float32: return f.template operator()<float>();
    case DType::float64: return f.template operator()<double>();
    case DType::int64: return f.template operator()<int64_t>();
    case DType::int32: return f.template operator()<int32_t>();
    case DType::uint8:
    case DType::bool_: return f.template operator()<uint8_t>();
  }
}

/// Calls, since a kernel that holds them all is slow to compile.
template <class Op, class T, int... I>
__attribute__((noinline)) __device__ void compute(const Line& line, const FusedCode::Step& step,
                                                  int to, std::integer_sequence<int, I...>) {
  const Registers registers(line);
  for (int e = 0; e < line.elements; ++e) {
    registers.at(to, e) = to_bits(stored(Op{}.f(registers.operand<Op, T, I>(step.in[I], e)...)));
  }
}

template <class Op>
__device__ void compute(const Line& line, const FusedCode::Step& step, int to) {
  constexpr std::make_integer_sequence<int, Op::arity> operands;
  visit_element(line.code.dtypes[step.in[Op::arity - 1]], [&]<class T>() {
    if constexpr (Op::domain != Domain::floating || kFloating<T>) {
      compute<Op, T>(line, step, to, operands);
    }
  });
}

template <class T>
__device__ uint64_t register_of(T x) {
  if constexpr (is_half_type<T>) {
    return to_bits(static_cast<float>(x));
  } else {
    return to_bits(x);
  }
}

__device__ void convert(const Line& line, const FusedCode::Step& step, int to) {
  const Registers registers(line);
  const DType dtype = line.code.dtypes[to];
  const auto convert_to = [&]<class To, class From>() {
    for (int e = 0; e < line.elements; ++e) {
      const From x = from_bits<From>(registers.at(step.in[0], e));
      registers.at(to, e) = register_of(converted_any<To>(x));
    }
  };
  visit_element(line.code.dtypes[step.in[0]], [&]<class From>() {
    if (dtype == DType::bool_) return convert_to.template operator()<bool, From>();
    if (dtype == DType::float16) return convert_to.template operator()<Half, From>();
    if (dtype == DType::bfloat16) return convert_to.template operator()<BFloat16, From>();
    visit_element(dtype, [&]<class To>() { convert_to.template operator()<To, From>(); });
  });
}

template <class T>
__device__ void round_to(const Line& line, int operand) {
  const Registers registers(line);
  for (int e = 0; e < line.elements; ++e) {
    uint64_t& x = registers.at(operand, e);
    x = register_of(static_cast<T>(from_bits<float>(x)));
  }
}

__device__ void run_step(const Line& line, const FusedCode::Step& step, int to) {
  switch (step.op) {
#define REPRISE_CASE(T) \
  case ElementwiseIndex::T: compute<T>(line, step, to); break;
    REPRISE_ELEMENTWISE_OPS(REPRISE_CASE)
#undef REPRISE_CASE
    default: return convert(line, step, to);
  }
  if (line.code.dtypes[to] == DType::float16) round_to<Half>(line, to);
  if (line.code.dtypes[to] == DType::bfloat16) round_to<BFloat16>(line, to);
}

// ---- memory -----------------------------------------------------------------------------------

/// Calls f.operator()<T>() with the type that elements of `dtype` are moved as.
template <class F>
__device__ void visit_stored(DType dtype, const F& f) {
  switch (dtype) {
    case DType::float16: return f.template operator()<Half>();
    case DType::bfloat16: return f.template operator()<BFloat16>();
    case DType::uint8:
    case DType::bool_: return f.template operator()<uint8_t>();
    case DType::float32:
    case DType::int32: return f.template operator()<uint32_t>();
    case DType::float64:
    case DType::int64: return f.template operator()<uint64_t>();
  }
}

/// Calls f(element, where it lies) for those of the thread.
template <class F>
__device__ void for_each_element(const Line& line, const Walk<kMostOperands>& walk, int operand,
                                 const F& f) {
  const uint32_t begin = blockIdx.x * blockDim.x * line.elements + threadIdx.x;
  for (int e = 0; e < line.elements && begin + e * blockDim.x < walk.packs; ++e) {
    f(e, walk.find_in(operand, begin + e * blockDim.x));
  }
}

__global__ void interpret_kernel(const __grid_constant__ Line line,
                                 const __grid_constant__ Walk<kMostOperands> walk) {
  const FusedCode& code = line.code;
  const Registers registers(line);
  for (int k = 0; k < code.inputs; ++k) {
    const int operand = code.results + k;
    visit_stored(code.dtypes[k], [&]<class T>() {
      const T* from = static_cast<const T*>(line.data[operand]);
      for_each_element(line, walk, operand,
                       [&](int e, int64_t at) { registers.at(k, e) = register_of(from[at]); });
    });
  }
  for (int i = 0; i < code.steps; ++i) run_step(line, code.step[i], code.inputs + i);
  for (int r = 0; r < code.results; ++r) {
    const int k = code.result[r];
    visit_stored(code.dtypes[k], [&]<class T>() {
      using Register = std::conditional_t<is_half_type<T>, float, T>;
      T* to = static_cast<T*>(line.data[r]);
      for_each_element(line, walk, r, [&](int e, int64_t at) {
        to[at] = static_cast<T>(from_bits<Register>(registers.at(k, e)));
      });
    });
  }
}

void interpret(const FusedCode& code, const Layout& layout, std::span<const View> views,
               Stream stream) {
  constexpr int64_t kMostInLaunch = int64_t{1} << 30;  // 32 bits find the place of an element
  const RegisterMap map(code);
  Line line{code, {}, map.count <= 12 ? kMostElements : 1, {}};
  std::copy_n(map.of, kMostFusedOperands, line.registers);
  for (size_t k = 0; k < views.size(); ++k) line.data[k] = views[k].data;
  const int in_block = static_cast<int>(kFusedThreads) * line.elements;
  const size_t shared = static_cast<size_t>(map.count) * in_block * sizeof(uint64_t);
  for_each_part(layout, kMostInLaunch, [&](const Layout& part) {
    const Walk<kMostOperands> walk(part, 1);
    launch(stream, Grid{(walk.packs + in_block - 1) / in_block, kFusedThreads, shared},
           interpret_kernel, line, walk);
  });
}

}  // namespace
}  // namespace cuda

void Fused::cuda(const Launch& l) const {
  std::array<View, cuda::kMostOperands> all;
  const auto end =
      std::copy(l.in.begin(), l.in.end(), std::copy(l.out.begin(), l.out.end(), all.begin()));
  const std::span<const View> views(all.begin(), end);
  const cuda::FusedCode code(*this, l.in);
  const cuda::Layout layout(views);
  if (cuda::try_compiled(code, layout, views, l.stream)) return;
  cuda::interpret(code, layout, views, l.stream);
}

}  // namespace reprise
