// What cuDNN prepares for a device that is only described: its heuristics need none.

#include "../../../kernels/cuda/conv_plans.h"

#include <gtest/gtest.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {
namespace {

/// A GPU of compute capability 9.0 with 132 multiprocessors, in cuDNN's words.
constexpr std::string_view kDescription =
    R"({"deviceName": "H200", "deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0,
        "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
        "regsPerBlock": 65536, "multiProcessorCount": 132, "smClockRateKHz": 1980000,
        "memClockRateKHz": 3201000, "l2CacheSize": 62914560, "warpSize": 32,
        "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
        "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "pciDeviceId": 0,
        "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
        "isTccDriver": 0, "supportCoopLaunch": 1, "totalGlobalMem": 150000000000})";

class ConvPlansTest : public testing::Test {
 protected:
  void SetUp() override {
    try {
      const std::vector<char> text(kDescription.begin(), kDescription.end());
      properties_.emplace(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
      properties_->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, text);
      properties_->finalize();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  std::optional<ConvPlan> plan(const ConvRequest& request) const {
    return make_conv_plan(request, {.handle = nullptr, .properties = &*properties_});
  }

#if defined(__SANITIZE_ADDRESS__)
  const __lsan::ScopedDisabler disabler_;  // cuDNN keeps what it loads and makes
#endif
  std::optional<DnnDescriptor> properties_;
};

constexpr size_t kRoom = ConvPlans::kMostRoom;
constexpr ConvShape kLarge{64, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1};

TEST_F(ConvPlansTest, AreFoundForAllPasses) {
  constexpr ConvShape kShapes[] = {kLarge,
                                   {4, 3, 16, 16, 16, 3, 3, 1, 1, 1, 1},
                                   {64, 3, 224, 224, 64, 7, 7, 2, 2, 3, 3},
                                   {2, 6, 11, 13, 9, 3, 2, 2, 3, 2, 1, 2, 3, 3},
                                   {32, 256, 14, 14, 512, 1, 1, 2, 2},
                                   {8, 32, 28, 28, 32, 3, 3, 1, 1, 1, 1, 1, 1, 32}};
  for (const ConvShape& s : kShapes) {
    for (const auto pass : {ConvPass::forward, ConvPass::input_grad, ConvPass::weight_grad}) {
      for (const auto& [dtype, tf32] :
           {std::pair(float32, false), {float32, true}, {float64, false}}) {
        const auto made = plan({pass, s, dtype, tf32, kRoom});
        ASSERT_TRUE(made.has_value()) << "shape " << &s - kShapes << ", pass " << int(pass) << ", "
                                      << to_string(dtype) << ", " << tf32;
        EXPECT_LE(made->workspace(), kRoom);
      }
    }
  }
}

TEST_F(ConvPlansTest, NeedNoMoreThanThereIsRoomFor) {
  const auto wanted = plan({ConvPass::forward, kLarge, float32, true, kRoom});
  ASSERT_TRUE(wanted.has_value());
  EXPECT_GT(wanted->workspace(), size_t{1 << 20});  // else another shape shows it
  const auto small = plan({ConvPass::forward, kLarge, float32, true, 1 << 20});
  EXPECT_TRUE(!small.has_value() || small->workspace() <= 1 << 20);
}

TEST_F(ConvPlansTest, AreNoneForWhatIsNoConvolution) {
  ConvShape s = kLarge;
  s.groups = 3;
  EXPECT_FALSE(plan({ConvPass::forward, s, float32, false, kRoom}).has_value());
}

TEST_F(ConvPlansTest, ShareTheRoomOfTheFirst) {
  std::vector<ConvRequest> made;
  ConvPlans plans([&](const ConvRequest& request) {
    made.push_back(request);
    return plan(request);
  });
  const ConvKey key{0, ConvPass::forward, kLarge, float32};
  const size_t room = plans.room(key, false);
  EXPECT_TRUE(plans.has(key, false));
  plans.use(key, false, [&](const ConvPlan& p) { EXPECT_EQ(p.workspace(), room); });
  EXPECT_EQ(plans.room(key, true), room);
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(made[0].room, kRoom);
  EXPECT_EQ(made[1].room, room);
  ConvKey other = key;
  other.shape.batch = 3;
  (void)plans.room(other, false);
  EXPECT_EQ(made.size(), 3U);
}

TEST(ConvEngines, AreAcceptedByTheirNotes) {
  using Notes = std::vector<cudnnBackendNumericalNote_t>;
  const struct {
    Notes notes;
    bool plain, tf32, wide;  // float32, float32 with TF32, float64
  } rows[] = {
      {{}, true, true, true},
      {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, false, true, true},
      {{CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4}, false, true, false},
      {{CUDNN_NUMERICAL_NOTE_FFT}, false, true, false},
      {{CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP}, true, true, true},
      {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC},
       false,
       false,
       false},
      {{CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, false, false, false}};
  for (const auto& row : rows) {
    EXPECT_EQ(accepts(row.notes, float32, false), row.plain) << &row - rows;
    EXPECT_EQ(accepts(row.notes, float32, true), row.tf32) << &row - rows;
    EXPECT_EQ(accepts(row.notes, float64, false), row.wide) << &row - rows;
  }
}

}  // namespace
}  // namespace reprise::cuda

#endif
