#include "../../data/progress.h"

#include <gtest/gtest.h>

#include <cmath>

namespace reprise {
namespace {

Progress middle() {
  return {.epoch = 2,
          .epochs = 5,
          .batch = 120,
          .batches = 480,
          .images = 12000,
          .loss = 0.21336,
          .accuracy = 0.931,
          .seconds = 6};
}

TEST(Progress, Durations) {
  EXPECT_EQ(duration_text(0), "0:00");
  EXPECT_EQ(duration_text(7.4), "0:07");
  EXPECT_EQ(duration_text(59.6), "1:00");
  EXPECT_EQ(duration_text(754), "12:34");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(duration_text(-1), "0:00");
  EXPECT_EQ(duration_text(std::nan("")), duration_text(INFINITY));
}

TEST(Progress, BarFillsItsWidth) {
  const std::string tail = "120/480  loss 0.2134  accuracy 93.10 %  2000 images/s  0:18 left";
  const std::string expected = "epoch 2/5 [=====>               ] " + tail;
  EXPECT_EQ(progress_bar(middle(), static_cast<int>(expected.size())), expected);
  EXPECT_EQ(progress_bar(middle(), 40), "epoch 2/5 " + tail);
}

TEST(Progress, BarAtBothEnds) {
  Progress p = middle();
  p.batch = 0;
  EXPECT_NE(progress_bar(p, 100).find("[>    "), std::string::npos);
  EXPECT_EQ(progress_bar(p, 100).find("left"), std::string::npos);
  p.batch = p.batches;
  EXPECT_NE(progress_bar(p, 100).find("====]"), std::string::npos);
  EXPECT_NE(progress_bar(p, 100).find("0:00 left"), std::string::npos);
}

TEST(Progress, NothingToDo) {
  const std::string expected = "epoch 1/1 0/0  loss 0.0000  accuracy 0.00 %  0 images/s  ";
  EXPECT_EQ(progress_bar({}, 100), expected);
}

TEST(Progress, LineOfAnEpoch) {
  EXPECT_EQ(progress_line(middle()),
            "epoch 2/5  loss 0.2134  accuracy 93.10 %  2000 images/s  0:06");
}

}  // namespace
}  // namespace reprise
