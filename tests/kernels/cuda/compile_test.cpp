// Kernels that are compiled while a program runs, and the files they are kept in. The compiler
// needs no GPU; where it is not installed its tests are skipped.

#include "../../../kernels/cuda/compile.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "../../../kernels/cuda/disk_cache.h"
#include "../../../kernels/cuda/fused_code.h"
#include "../../../kernels/cuda/libraries.h"
#include "../../io/temporary_folder.h"

namespace reprise::cuda {
namespace {

using reprise::testing::read_file;
using reprise::testing::TemporaryFolder;

constexpr const char* kSource = "extern \"C\" __global__ void f(float* x) { *x = 1; }";

class CudaCompiler : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      (void)nvrtc();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
    setenv("REPRISE_CUDA_CACHE", folder_.path().c_str(), 1);
  }
  void TearDown() override { unsetenv("REPRISE_CUDA_CACHE"); }

  std::string only_file() const {
    return std::filesystem::directory_iterator(folder_.path())->path().string();
  }

  TemporaryFolder folder_;
};

bool is_cubin(const std::string& code) { return code.compare(0, 4, "\177ELF") == 0; }

TEST_F(CudaCompiler, MakesMachineCode) { EXPECT_TRUE(is_cubin(compile(kSource, "sm_90"))); }

TEST_F(CudaCompiler, SaysWhatItRefuses) {
  try {
    compile("__global__ void f() { nonsense; }", "sm_90");
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Device);
    EXPECT_NE(std::string(error.what()).find("\"nonsense\" is undefined"), std::string::npos)
        << error.what();
  }
}

TEST_F(CudaCompiler, RecallsWhatItMade) {
  const std::string code = compile_or_recall(kSource, "sm_90");
  ASSERT_EQ(folder_.file_count(), 1U);
  const std::string kept = read_file(only_file());
  DiskCache(folder_.path()).write(std::filesystem::path(only_file()).filename(), "as told");
  EXPECT_EQ(compile_or_recall(kSource, "sm_90"), "as told");
  EXPECT_NE(compile_or_recall(kSource, "sm_80"), code);
  EXPECT_EQ(folder_.file_count(), 2U);
}

TEST_F(CudaCompiler, MakesAnewWhatIsDamaged) {
  const std::string code = compile_or_recall(kSource, "sm_90");
  std::string kept = read_file(only_file());
  const std::string name = std::filesystem::path(only_file()).filename();
  for (const size_t size : {size_t{0}, size_t{7}, kept.size() - 1, kept.size()}) {
    std::string damaged = kept.substr(0, size);
    if (size == kept.size()) damaged[size / 2] ^= 1;
    folder_.write(name, damaged);
    EXPECT_EQ(compile_or_recall(kSource, "sm_90"), code) << size;
    EXPECT_EQ(read_file(only_file()), kept);
  }
}

TEST_F(CudaCompiler, NeedsNoFolder) {
  for (const std::string folder : {"/proc/none", "/dev/null"}) {
    setenv("REPRISE_CUDA_CACHE", folder.c_str(), 1);
    EXPECT_TRUE(is_cubin(compile_or_recall(kSource, "sm_90"))) << folder;
  }
}

/// Every op that takes the dtype, in one line, or conversions to all others.
FusedCode every_op(DType dtype, bool conversions) {
  FusedCode code;
  code.inputs = 3;
  code.dtypes[0] = bool_;
  code.dtypes[1] = code.dtypes[2] = dtype;
  const auto add = [&](ElementwiseIndex op, std::initializer_list<uint8_t> in, DType to) {
    FusedCode::Step& step = code.step[code.steps];
    step.op = op;
    std::copy(in.begin(), in.end(), step.in);
    code.dtypes[code.inputs + code.steps++] = to;
  };
  const auto add_op = [&]<class T>() {
    const bool refused = (T::domain == Domain::floating && !is_floating_point(dtype)) ||
                         (T::domain == Domain::numeric && dtype == bool_);
    if (refused) return;
    const DType to = T::predicate ? bool_ : dtype;
    if (T::arity == 1) add(T::elementwise, {1}, to);
    if (T::arity == 2) add(T::elementwise, {1, 2}, to);
    if (T::arity == 3) add(T::elementwise, {0, 1, 2}, to);
  };
#define REPRISE_ADD(T) add_op.template operator()<T>();
  if (!conversions) {
    REPRISE_ELEMENTWISE_OPS(REPRISE_ADD)
  }
#undef REPRISE_ADD
  for (int i = 0; conversions && i < kDTypeCount; ++i) {
    const auto to = static_cast<DType>(i);
    if (to != dtype) add(ElementwiseIndex::Copy, {1}, to);
  }
  return code;
}

TEST_F(CudaCompiler, TakesEveryOpAndDType) {
  for (int i = 0; i < kDTypeCount; ++i) {
    for (const bool conversions : {false, true}) {
      FusedCode code = every_op(static_cast<DType>(i), conversions);
      ASSERT_LE(code.steps, kMostFusedSteps);
      for (; code.results < std::min<size_t>(code.steps, kMostFusedResults); ++code.results) {
        code.result[code.results] =
            static_cast<uint8_t>(code.inputs + code.steps - 1 - code.results);
      }
      const std::string source = source_of(code);
      EXPECT_TRUE(is_cubin(compile(source, i % 2 == 0 ? "sm_90" : "sm_80"))) << source;
    }
  }
}

TEST(DiskCache, KeepsNothingWithoutAFolder) {
  const DiskCache none("");
  none.write("a", "b");
  EXPECT_FALSE(none.read("a"));
}

TEST(DiskCache, KeepsBytes) {
  const TemporaryFolder folder;
  const DiskCache cache(folder / "made" + "/when needed");
  EXPECT_FALSE(cache.read("a"));
  for (const std::string& bytes :
       {std::string(), std::string("one\0two", 7), std::string(99999, 'x')}) {
    cache.write("a", bytes);
    ASSERT_TRUE(cache.read("a"));
    EXPECT_EQ(*cache.read("a"), bytes);
  }
  EXPECT_FALSE(cache.read("b"));
  EXPECT_EQ(
      std::distance(std::filesystem::directory_iterator(folder / "made" + "/when needed"), {}), 1);
}

}  // namespace
}  // namespace reprise::cuda
