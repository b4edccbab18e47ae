// Every test that gives the device work says so in its full name: scripts/gpu_check runs *Cuda*.

#include <gtest/gtest.h>

#include "calls.h"

namespace reprise::emulator {
namespace {

bool is_found(const testing::TestInfo& test) {
  return (std::string(test.test_suite_name()) + test.name()).find("Cuda") != std::string::npos;
}

class Names : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { before_ = work_queued(); }
  void OnTestEnd(const testing::TestInfo& test) override {
    EXPECT_TRUE(is_found(test) || work_queued() == before_)
        << test.test_suite_name() << '.' << test.name() << " uses the device: name it *Cuda*";
  }

  int64_t before_ = 0;
};

[[maybe_unused]] const bool watches = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new Names);
  return true;
}();

}  // namespace
}  // namespace reprise::emulator
