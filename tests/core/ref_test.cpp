// Ref: how many owners there are, and that an object dies with the last one.

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "../../core/ref.h"

namespace reprise {
namespace {

struct Counted : RefCounted<Counted> {
  explicit Counted(int& deaths) : deaths(deaths) {}
  virtual ~Counted() { ++deaths; }
  int& deaths;
};
struct Derived : Counted {
  using Counted::Counted;
};

TEST(Ref, DiesWithTheLastOwner) {
  int deaths = 0;
  Ref<Counted> a = make_ref<Derived>(deaths);  // through the base, as ops and histories are held
  EXPECT_EQ(a->use_count(), 1);
  Ref<Counted> b = a;
  EXPECT_EQ(a->use_count(), 2);
  EXPECT_EQ(a, b);
  a.reset();
  EXPECT_EQ(a, nullptr);
  EXPECT_EQ(deaths, 0);
  Ref<Counted> c = std::move(b);
  EXPECT_FALSE(b);  // NOLINT: a moved-from handle is null
  EXPECT_EQ(c->use_count(), 1);
  c = nullptr;
  EXPECT_EQ(deaths, 1);
}

TEST(Ref, AssigningAHandleToItselfKeepsTheObject) {
  int deaths = 0;
  Ref<Counted> a = make_ref<Counted>(deaths);
  const Ref<Counted>& same = a;
  a = same;
  EXPECT_EQ(a->use_count(), 1);
  EXPECT_EQ(deaths, 0);
}

TEST(Ref, ReleaseAndAdoptHandOverOneOwnership) {
  int deaths = 0;
  Counted* object = make_ref<Counted>(deaths).release();
  EXPECT_EQ(object->use_count(), 1);
  {
    const Ref<Counted> more(object);
    EXPECT_EQ(object->use_count(), 2);
  }
  Ref<Counted>::adopt(object).reset();
  EXPECT_EQ(deaths, 1);
}

TEST(Ref, HandlesOfOneObjectMayLiveOnManyThreads) {
  int deaths = 0;
  {
    const Ref<Counted> shared = make_ref<Counted>(deaths);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([shared] {
        for (int i = 0; i < 10'000; ++i) Ref<Counted> copy = shared;
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(shared->use_count(), 1);
  }
  EXPECT_EQ(deaths, 1);
}

}  // namespace
}  // namespace reprise
