#include "../../core/parallel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../../core/error.h"

// ThreadSanitizer ends children of programs with threads unless told otherwise.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

namespace reprise {
namespace {

class Parallel : public ::testing::TestWithParam<int> {
 protected:
  Parallel() { set_num_threads(GetParam()); }
  ~Parallel() override { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, ::testing::Values(1, 2, 3, 8));

/// How often each of n elements was visited; also checks the shape of the ranges.
std::vector<int> visits(int64_t n, int64_t grain) {
  std::vector<int> count(static_cast<size_t>(std::max<int64_t>(n, 0)));
  std::atomic<bool> well_cut = true;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    const int64_t step = std::max<int64_t>(grain, 1);
    if (begin % step != 0 || end != std::min(begin + step, n)) well_cut = false;
    for (int64_t i = begin; i < end; ++i) ++count[static_cast<size_t>(i)];
  });
  EXPECT_TRUE(well_cut);
  return count;
}

int64_t total(const std::vector<int>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

TEST_P(Parallel, VisitsEveryElementOnce) {
  for (const int64_t n : {-5, 0, 1, 2, 7, 64, 1000, 4099}) {
    for (const int64_t grain : {-1, 0, 1, 3, 64, 5000}) {
      for (const int count : visits(n, grain)) ASSERT_EQ(count, 1) << n << ", " << grain;
    }
  }
}

TEST_P(Parallel, HugeSizesDoNotOverflow) {
  const int64_t n = INT64_MAX, grain = n / 3 + 1;
  std::atomic<int64_t> covered = 0;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) { covered += end - begin; });
  EXPECT_EQ(covered, n);
}

TEST_P(Parallel, ManyCallsInARow) {
  std::atomic<int64_t> sum = 0;
  for (int call = 0; call < 5000; ++call) {
    parallel_for(5, 1, [&](int64_t begin, int64_t) { sum += begin; });
  }
  EXPECT_EQ(sum, 50000);
}

TEST_P(Parallel, SameBitsForAnyNumberOfThreads) {
  const auto run = [] {
    std::vector<float> partial(100);
    parallel_for(100000, 1000, [&](int64_t begin, int64_t end) {
      float sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += std::sin(static_cast<float>(i));
      partial[static_cast<size_t>(begin / 1000)] = sum;
    });
    return std::accumulate(partial.begin(), partial.end(), 0.f);
  };
  const float here = run();
  set_num_threads(1);
  EXPECT_EQ(here, run());
}

TEST_P(Parallel, NestedCallsRunOnTheirThread) {
  std::atomic<int> inner = 0, elsewhere = 0;
  parallel_for(16, 1, [&](int64_t, int64_t) {
    const auto self = std::this_thread::get_id();
    parallel_for(10, 1, [&](int64_t, int64_t) {
      ++inner;
      if (num_threads() > 1 && std::this_thread::get_id() != self) ++elsewhere;
    });
  });
  EXPECT_EQ(inner, 160);
  EXPECT_EQ(elsewhere, 0);
}

TEST_P(Parallel, RethrowsTheFirstFailureInOrder) {
  for (int repeat = 0; repeat < 200; ++repeat) {
    try {
      parallel_for(100, 1, [](int64_t begin, int64_t) {
        if (begin % 10 == 7) throw std::runtime_error(std::to_string(begin));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "7");
    }
  }
  EXPECT_EQ(total(visits(1000, 10)), 1000);  // the pool is as good as new
}

TEST_P(Parallel, ManyCallersAtOnce) {
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int call = 0; call < 500; ++call) sum += total(visits(100, 7));
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 500 * 100);
}

TEST_P(Parallel, CallersTakeTheirExceptions) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([caller, &wrong] {
      for (int call = 0; call < 200; ++call) {
        try {
          parallel_for(8, 1, [&](int64_t, int64_t) { throw caller; });
        } catch (int thrown) {
          wrong += thrown != caller;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

/// The exit status of a child that runs `body` after a fork.
template <class Body>
int forked(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST_P(Parallel, SurvivesFork) {
  EXPECT_EQ(total(visits(1000, 1)), 1000);
  EXPECT_EQ(forked([] {
              return total(visits(1000, 1)) == 1000 &&
                     forked([] { return total(visits(500, 1)) == 500; }) == 0;
            }),
            0);
  EXPECT_EQ(total(visits(1000, 1)), 1000);
}

TEST_P(Parallel, SurvivesForkWhileAnotherThreadRuns) {
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) parallel_for(64, 1, [](int64_t, int64_t) {});
  });
  for (int repeat = 0; repeat < 10; ++repeat) {
    EXPECT_EQ(forked([] { return total(visits(200, 1)) == 200; }), 0);
  }
  stop = true;
  other.join();
}

TEST_P(Parallel, ChangesItsSizeAtAnyTime) {
  for (const int threads : {2, 5, 1, 3, 2, 2}) {
    set_num_threads(threads);
    EXPECT_EQ(num_threads(), threads);
    EXPECT_EQ(total(visits(300, 1)), 300);
  }
  parallel_for(8, 1, [](int64_t begin, int64_t) { set_num_threads(2 + static_cast<int>(begin)); });
  EXPECT_EQ(total(visits(300, 1)), 300);
}

TEST_P(Parallel, ScratchBelongsToOneThread) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::atomic<int> faults = 0;
    parallel_for(32, 1, [&](int64_t begin, int64_t) {
      const auto scratch = thread_scratch();
      faults += scratch.size() != kThreadScratchBytes;
      faults += reinterpret_cast<uintptr_t>(scratch.data()) % 64 != 0;
      for (size_t i = 0; i < scratch.size(); i += 4096) scratch[i] = std::byte(begin);
      for (size_t i = 0; i < scratch.size(); i += 4096) faults += scratch[i] != std::byte(begin);
    });
    EXPECT_EQ(faults, 0);
  }
  EXPECT_EQ(thread_scratch().data(), thread_scratch().data());
}

TEST_P(Parallel, ExitsFromAnywhere) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto outside = [] {
    visits(1000, 1);
    std::exit(3);
  };
  const auto inside = [] {
    parallel_for(8, 1, [](int64_t begin, int64_t) {
      if (begin == 0) std::exit(4);
      std::this_thread::sleep_for(std::chrono::seconds(1));
    });
  };
  EXPECT_EXIT(outside(), ::testing::ExitedWithCode(3), "");
  EXPECT_EXIT(inside(), ::testing::ExitedWithCode(4), "");
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST_P(Parallel, AnIdlePoolRests) {
  visits(1000, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the workers spin for a moment
  const double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(processor_seconds() - before, 0.02);
}

TEST(ParallelThreads, RefusesImpossibleNumbers) {
  for (const int n : {0, -3, 1025}) {
    try {
      set_num_threads(n);
      FAIL() << n;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Value);
      EXPECT_NE(std::string(error.what()).find(std::to_string(n)), std::string::npos);
    }
  }
}

TEST(ParallelThreads, AcceptsConstAndMutableCallables) {
  const auto constant = [](int64_t, int64_t) {};
  parallel_for(10, 1, constant);
  int64_t sum = 0;
  auto counting = [sum = &sum](int64_t begin, int64_t end) mutable { *sum += end - begin; };
  parallel_for(10, 10, counting);
  EXPECT_EQ(sum, 10);
}

}  // namespace
}  // namespace reprise
