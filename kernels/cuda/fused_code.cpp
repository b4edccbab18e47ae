#include "fused_code.h"

#include <algorithm>

#include "../../core/model.h"
#include "../../core/tensor.h"
#include "layout.h"

namespace reprise::cuda {

FusedCode::FusedCode(const Fused& op, std::span<const View> in)
    : inputs(static_cast<uint8_t>(in.size())),
      steps(static_cast<uint8_t>(op.steps.size())),
      results(static_cast<uint8_t>(op.results.size())) {
  ensure(inputs <= kMostFusedInputs && steps <= kMostFusedSteps && results <= kMostFusedResults,
         "fused: too long");
  for (int k = 0; k < inputs; ++k) dtypes[k] = in[static_cast<size_t>(k)].meta->dtype;
  for (int i = 0; i < steps; ++i) add_step(i, op.steps[static_cast<size_t>(i)]);
  for (int r = 0; r < results; ++r) {
    result[r] = static_cast<uint8_t>(op.results[static_cast<size_t>(r)]);
  }
}

void FusedCode::add_step(int i, const FusedStep& from) {
  Step& to = step[i];
  to.op = from.op->traits().elementwise;
  for (int k = 0; k < elementwise_arity(to.op); ++k) {
    to.in[k] = static_cast<uint8_t>(from.in[static_cast<size_t>(k)]);
  }
  const Copy* copy = as<Copy>(*from.op);
  dtypes[inputs + i] = copy != nullptr       ? copy->dtype
                       : is_predicate(to.op) ? bool_
                                             : computes_in(to);
}

int FusedCode::width() const {
  size_t widest = 1;
  for (int k = 0; k < inputs; ++k) widest = std::max(widest, size_of(dtypes[k]));
  for (int r = 0; r < results; ++r) widest = std::max(widest, size_of(dtypes[result[r]]));
  return widest == 1 ? 8 : static_cast<int>(16 / widest);
}

// ---- source -----------------------------------------------------------------------------------

namespace {

// Of every run: a thread reads several packs before it writes.
constexpr const char* kFrame = R"(
/// `left`: packs from the thread's first one on.
template <int V, int Packs>
__device__ void run_packs(const Walk<kOperands>& walk, const Addresses& to, uint32_t left,
                          const Places<kOperands, Packs>& places) {
  Inputs<V> in[Packs];
  for (int p = 0; p < Packs; ++p) in[p] = load<V>(walk, to, places, p);
  for (int p = 0; p < Packs; ++p) {
    if (p * blockDim.x < left) compute(to, places, p, in[p]);
  }
}

template <int V>
__device__ void run(const Walk<kOperands>& walk, const Addresses& to) {
  const uint32_t begin = blockIdx.x * blockDim.x * kPacks + threadIdx.x;
  if (begin < walk.packs) run_packs<V>(walk, to, walk.packs - begin, walk.find<kPacks>(begin));
  if (V > 1 && begin < walk.rest) run_packs<1>(walk, to, 1, walk.find_rest(begin));
}

}  // namespace
}  // namespace reprise::cuda

extern "C" __global__ void packs(const __grid_constant__ reprise::cuda::Walk<kOperands> walk,
                                 const __grid_constant__ reprise::cuda::Addresses to) {
  reprise::cuda::run<kWidth>(walk, to);
}
extern "C" __global__ void elements(const __grid_constant__ reprise::cuda::Walk<kOperands> walk,
                                    const __grid_constant__ reprise::cuda::Addresses to) {
  reprise::cuda::run<1>(walk, to);
}
)";

std::string_view type_name(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float";
    case DType::float64: return "double";
    case DType::int64: return "int64_t";
    case DType::int32: return "int32_t";
    case DType::uint8: return "uint8_t";
    case DType::float16: return "Half";
    case DType::bfloat16: return "BFloat16";
    case DType::bool_: break;
  }
  return "bool";
}

std::string_view struct_name(ElementwiseIndex op) {
#define REPRISE_NAME(T) #T,
  constexpr std::string_view names[] = {REPRISE_ELEMENTWISE_OPS(REPRISE_NAME)};
#undef REPRISE_NAME
  return names[static_cast<size_t>(op)];
}

/// What computes a step from v0, v1, ..., which hold the operands of one element. `where` moves
/// 16 bits as they are, others compute them as float; bool is computed as a byte.
std::string expression(const FusedCode::Step& step, DType from, DType to) {
  if (step.op == ElementwiseIndex::Copy) {
    return text("converted_any<", type_name(to), ">(v", int{step.in[0]}, ")");
  }
  const bool moves = step.op == ElementwiseIndex::Where;
  const std::string type = is_half(from) && !moves ? ""
                           : from == bool_         ? "<uint8_t>"
                                                   : text("<", type_name(from), ">");
  std::string arguments;
  for (int i = 0; i < elementwise_arity(step.op); ++i) {
    const bool is_mask = moves && i == 0;
    arguments +=
        text(i == 0 ? "" : ", ", "operand", is_mask ? "" : type, "(v", int{step.in[i]}, ")");
  }
  return text("static_cast<", type_name(to), ">(stored(", struct_name(step.op), "{}.f(", arguments,
              ")))");
}

/// Inputs, which holds a pack of each input, and what reads it.
std::string inputs_text(const FusedCode& code) {
  std::string members, reads;
  for (int k = 0; k < code.inputs; ++k) {
    const std::string_view type = type_name(code.dtypes[k]);
    const int at = code.results + k;
    members += text("  Pack<", type, ", V> x", k, ";\n");
    reads += text("          read<V>(static_cast<const ", type, "*>(to.data[", at, "]), places.at[",
                  at, "][p], walk.repeated >> ", at, " & 1),\n");
  }
  return text(
      "template <int V>\nstruct Inputs {\n", members,
      "};\ntemplate <int V, int Packs>\n__device__ Inputs<V> load(const Walk<kOperands>& walk, "
      "const Addresses& to, const Places<kOperands, Packs>& places, int p) {\n  return {\n",
      reads, "  };\n}\n");
}

/// What computes and writes the results of a pack.
std::string compute_text(const FusedCode& code) {
  std::string packs, steps, writes;
  for (int k = 0; k < code.inputs; ++k) {
    steps += text("    const ", type_name(code.dtypes[k]), " v", k, " = in.x", k, ".v[i];\n");
  }
  for (int i = 0; i < code.steps; ++i) {
    const DType to = code.dtypes[code.inputs + i];
    steps += text("    const ", type_name(to), " v", code.inputs + i, " = ",
                  expression(code.step[i], code.computes_in(code.step[i]), to), ";\n");
  }
  for (int r = 0; r < code.results; ++r) {
    const int k = code.result[r];
    const std::string_view type = type_name(code.dtypes[k]);
    packs += text("  Pack<", type, ", V> y", r, ";\n");
    steps += text("    y", r, ".v[i] = v", k, ";\n");
    writes += text("  *reinterpret_cast<Pack<", type, ", V>*>(static_cast<", type, "*>(to.data[", r,
                   "]) + places.at[", r, "][p]) = y", r, ";\n");
  }
  return text(
      "template <int V, int Packs>\n__device__ void compute(const Addresses& to, "
      "const Places<kOperands, Packs>& places, int p, const Inputs<V>& in) {\n",
      packs, "  for (int i = 0; i < V; ++i) {\n", steps, "  }\n", writes, "}\n");
}

}  // namespace

std::string source_of(const FusedCode& code) {
  return text("#include \"elementwise.h\"\n#include \"half_number.cuh\"\n",
              "constexpr int kMostLayoutDims = ", kMostLayoutDims, ";\n#include \"walk.cuh\"\n",
              "constexpr int kOperands = ", code.operands(), ", kWidth = ", code.width(),
              ", kPacks = ", code.packs(), ";\nnamespace reprise::cuda {\n",
              "struct Addresses {\n  void* data[kOperands];\n};\nnamespace {\n", inputs_text(code),
              compute_text(code), kFrame);
}

}  // namespace reprise::cuda
