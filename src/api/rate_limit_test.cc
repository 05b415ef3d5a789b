#include "api/rate_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace segments {
namespace {

TEST(RateLimit, TakesAMinutesWorthAtOnceAndThenRefills) {
  RateLimit limit(60);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(limit.take("a", 1'000), 0);
  EXPECT_EQ(limit.take("a", 1'000), 1);
  EXPECT_EQ(limit.take("b", 1'000), 0);
  EXPECT_EQ(limit.take("a", 1'999), 1);
  EXPECT_EQ(limit.take("a", 2'001), 0);
  EXPECT_EQ(limit.take("a", 2'001), 1);
  EXPECT_EQ(limit.take("a", 1'000'000, 60), 0);
  EXPECT_EQ(limit.take("a", 1'000'000, 30), 30);
}

TEST(RateLimit, ZeroIsNoLimit) {
  RateLimit limit(0);
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(limit.take("a", 0), 0);
  EXPECT_EQ(limit.names(), 0u);
}

TEST(RateLimit, NamesAreBounded) {
  RateLimit limit(1, 10);
  for (int i = 0; i < 1'000; ++i) {
    limit.take(std::to_string(i), i);
    ASSERT_LE(limit.names(), 10u);
  }
}

TEST(RateLimit, AClockThatGoesBackGivesNothingAway) {
  RateLimit limit(1);
  EXPECT_EQ(limit.take("a", 100'000), 0);
  EXPECT_GT(limit.take("a", 0), 0);
  EXPECT_GT(limit.take("a", 130'000), 0);
  EXPECT_EQ(limit.take("a", 160'000), 0);
}

TEST(RateLimit, ThreadsTogetherGetNoMoreThanTheLimit) {
  RateLimit limit(1'000);
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) taken += limit.take("a", 5'000) == 0;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken, 1'000);
}

}  // namespace
}  // namespace segments
