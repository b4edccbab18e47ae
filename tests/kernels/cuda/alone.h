#pragma once
// Tests in a process of their own: the environment is read once, a device survives no fork, and one
// that is lost stays lost.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace reprise::test {

/// Whether this is such a process.
inline bool is_alone() { return std::getenv("REPRISE_TEST_ALONE") != nullptr; }

/// The full name of the test that runs.
inline std::string this_test() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  return std::string(test.test_suite_name()) + '.' + test.name();
}

/// Runs the tests that `filter` takes alone, where `variable` is `value`: they pass, and the
/// process ends by itself, within five minutes.
inline void expect_passes_alone(const char* variable, const char* value,
                                const std::string& filter = this_test()) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string tests = "--gtest_filter=" + filter;
  const pid_t child = fork();
  if (child == 0) {
    for (const int output : {STDOUT_FILENO, STDERR_FILENO}) dup2(ends[1], output);
    for (const int end : ends) close(end);
    unsetenv("GTEST_TOTAL_SHARDS");  // these tests, whichever share this is
    unsetenv("GTEST_SHARD_INDEX");
    setenv("REPRISE_TEST_ALONE", "1", 1);
    setenv(variable, value, 1);
    alarm(300);
    execl("/proc/self/exe", "reprise_tests", tests.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string said;
  char part[4096];
  for (ssize_t n = 0; (n = read(ends[0], part, sizeof part)) > 0;) {
    said.append(part, static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status << '\n' << said;
  EXPECT_EQ(said.find(" 0 tests from"), std::string::npos) << said;
}

}  // namespace reprise::test
