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

class CudaConvPlans : public testing::Test {
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
    return make_conv_plan(request, target());
  }
  DnnTarget target() const { return {.handle = nullptr, .properties = &*properties_}; }

#if defined(__SANITIZE_ADDRESS__)
  const __lsan::ScopedDisabler disabler_;  // cuDNN keeps what it loads and makes
#endif
  std::optional<DnnDescriptor> properties_;
};

constexpr size_t kRoom = ConvPlans::kMostRoom;
constexpr ConvShape kLarge{64, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1};
constexpr ConvWork kForward{ConvPass::forward, kLarge, float32};

/// All attributes, and ResNet-50's kinds: its stem, 1x1, 3x3, with a stride, and its classes.
constexpr ConvShape kShapes[] = {kLarge,
                                 {4, 3, 16, 16, 16, 3, 3, 1, 1, 1, 1},
                                 {64, 3, 224, 224, 64, 7, 7, 2, 2, 3, 3},
                                 {2, 6, 11, 13, 9, 3, 2, 2, 3, 2, 1, 2, 3, 3},
                                 {8, 32, 28, 28, 32, 3, 3, 1, 1, 1, 1, 1, 1, 32},
                                 {64, 64, 56, 56, 256, 1, 1},
                                 {64, 256, 56, 56, 128, 1, 1},
                                 {64, 128, 56, 56, 128, 3, 3, 2, 2, 1, 1},
                                 {32, 256, 14, 14, 512, 1, 1, 2, 2},
                                 {64, 1024, 14, 14, 256, 1, 1},
                                 {64, 512, 7, 7, 512, 3, 3, 1, 1, 1, 1},
                                 {64, 512, 7, 7, 2048, 1, 1}};

TEST_F(CudaConvPlans, AreFoundForAllPasses) {
  for (const ConvShape& s : kShapes) {
    for (const auto pass : {ConvPass::forward, ConvPass::input_grad, ConvPass::weight_grad}) {
      for (const auto& [dtype, tf32] : {std::pair(float32, false),
                                        {float32, true},
                                        {float64, false},
                                        {float16, false},
                                        {bfloat16, false}}) {
        for (const bool channels_last : {false, true}) {
          if (channels_last && dtype == float64) continue;
          const auto made = plan({{pass, s, dtype, channels_last}, tf32, kRoom});
          ASSERT_TRUE(made.has_value())
              << "shape " << &s - kShapes << ", pass " << int(pass) << ", " << to_string(dtype)
              << ", " << tf32 << (channels_last ? ", channels-last" : "");
          EXPECT_LE(made->workspace(), kRoom);
        }
      }
    }
  }
}

/// Generic engines are many times slower. For gradients of weights in float32 there are no others.
TEST_F(CudaConvPlans, AreOfTunedEnginesInFloat32) {
  for (const ConvShape& s : {kLarge, ConvShape{64, 256, 56, 56, 256, 3, 3, 1, 1, 1, 1}}) {
    for (const auto pass : {ConvPass::forward, ConvPass::input_grad}) {
      for (const bool channels_last : {false, true}) {
        const ConvRequest request{{pass, s, float32, channels_last}, false, kRoom};
        EXPECT_TRUE(make_conv_plan(request, target(), CUDNN_HEUR_MODE_A).has_value())
            << s.in_channels << " channels, pass " << int(pass)
            << (channels_last ? ", channels-last" : "");
      }
    }
  }
}

TEST_F(CudaConvPlans, AddTheBiasOf16Bits) {
  for (const ConvShape& s : kShapes) {
    for (const DType dtype : {float16, bfloat16}) {
      for (const bool channels_last : {false, true}) {
        const auto made = plan({{ConvPass::forward, s, dtype, channels_last, true}, false, kRoom});
        EXPECT_TRUE(made.has_value()) << "shape " << &s - kShapes << ", " << to_string(dtype)
                                      << (channels_last ? ", channels-last" : "");
      }
    }
  }
}

/// Nothing is put in another order in the workspace.
TEST_F(CudaConvPlans, NeedLittleRoomForChannelsLast) {
  const ConvWork rows{ConvPass::forward, kLarge, bfloat16};
  ConvWork last = rows;
  last.channels_last = true;
  const auto before = plan({rows, false, kRoom}), after = plan({last, false, kRoom});
  ASSERT_TRUE(before.has_value() && after.has_value());
  EXPECT_GE(before->workspace(), size_t{64 * 64 * 56 * 56} * 2);
  EXPECT_LT(after->workspace(), size_t{1 << 20});
}

TEST_F(CudaConvPlans, NeedNoMoreThanThereIsRoomFor) {
  const auto wanted = plan({kForward, true, kRoom});
  ASSERT_TRUE(wanted.has_value());
  EXPECT_GT(wanted->workspace(), size_t{1 << 20});  // else another shape shows it
  const auto small = plan({kForward, true, 1 << 20});
  EXPECT_TRUE(!small.has_value() || small->workspace() <= 1 << 20);
}

TEST_F(CudaConvPlans, AreNoneForWhatIsNoConvolution) {
  ConvWork work = kForward;
  work.shape.groups = 3;
  EXPECT_FALSE(plan({work, false, kRoom}).has_value());
}

TEST_F(CudaConvPlans, ShareTheRoomOfTheFirst) {
  std::vector<ConvRequest> made;
  ConvPlans plans([&](const ConvRequest& request) {
    made.push_back(request);
    return plan(request);
  });
  const ConvKey key{0, kForward};
  const size_t room = plans.room(key, false);
  EXPECT_TRUE(plans.has(key, false));
  plans.use(key, false, [&](const ConvPlan& p) { EXPECT_EQ(p.workspace(), room); });
  EXPECT_EQ(plans.room(key, true), room);
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(made[0].room, kRoom);
  EXPECT_EQ(made[1].room, room);
  ConvKey other = key;
  other.work.shape.batch = 3;
  (void)plans.room(other, false);
  EXPECT_EQ(made.size(), 3U);
  for (bool ConvWork::*flag : {&ConvWork::channels_last, &ConvWork::bias}) {
    other = key;
    other.work.*flag = true;
    const size_t before = made.size();
    (void)plans.has(other, false);
    EXPECT_EQ(made.size(), before + 1);
  }
}

TEST(CudaConvEngines, AreAcceptedByTheirNotes) {
  using Notes = std::vector<cudnnBackendNumericalNote_t>;
  const struct {
    Notes notes;
    bool plain, tf32, other;  // float32, float32 with TF32, float64 and 16 bits
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
      {{CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}, false, false, false},
      {{CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, false, false, false}};
  for (const auto& row : rows) {
    EXPECT_EQ(accepts(row.notes, float32, false), row.plain) << &row - rows;
    EXPECT_EQ(accepts(row.notes, float32, true), row.tf32) << &row - rows;
    for (const DType dtype : {float64, float16, bfloat16}) {
      EXPECT_EQ(accepts(row.notes, dtype, false), row.other) << &row - rows;
    }
  }
}

}  // namespace
}  // namespace reprise::cuda

#endif
