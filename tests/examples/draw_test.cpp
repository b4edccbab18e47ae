// reprise-draw, which makes the pictures of docs/images.

#include "../../graph/graphviz.h"
#include "program.h"

namespace reprise {
namespace {

TEST(DrawProgram, MakesThePicturesOfTheDocs) {
  const std::string program = testing::program_path("reprise-draw");
  if (program.empty()) GTEST_SKIP() << "reprise-draw is not beside the tests: REPRISE_PROGRAMS";
  const testing::TemporaryFolder folder;
  EXPECT_EQ(testing::Process(folder, program, {}).wait().exit_code, 2);
  if (!detail::has_graphviz_library() && std::system("dot -V >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "no Graphviz";
  }
  const testing::Outcome outcome = testing::Process(folder, program, {"."}).wait();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
  for (const char* name : {"resnet20.svg", "two_inputs.svg", "nested.svg"}) {
    EXPECT_NE(testing::read_file(folder / name).find("</svg>"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace reprise
