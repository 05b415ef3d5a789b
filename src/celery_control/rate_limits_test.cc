#include "celery_control/rate_limits.h"

#include <gtest/gtest.h>

#include <queue>

namespace segments::celery {

TEST(RateLimits, one_begins_at_once_and_the_next_when_its_time_has_come) {
  RateLimits limits;
  EXPECT_EQ(limits.wait("a", 1'000), 0);
  limits.set("a", 10, "10/s");
  EXPECT_EQ(limits.shown("a"), "10/s");
  EXPECT_EQ(limits.wait("a", 1'000), 0);
  EXPECT_EQ(limits.wait("a", 1'000), 100);
  EXPECT_EQ(limits.wait("b", 1'000), 0);
  EXPECT_EQ(limits.wait("a", 1'100), 0);
  limits.set("a", 0, "");
  EXPECT_EQ(limits.shown("a"), "");
  EXPECT_EQ(limits.wait("a", 1'101), 0);
  EXPECT_EQ(limits.wait("a", 1'101), 0);
}

TEST(RateLimits, an_idle_hour_saves_up_one_run_alone) {
  RateLimits limits;
  limits.set("a", 1, "1/s");
  EXPECT_EQ(limits.wait("a", 0), 0);
  EXPECT_EQ(limits.wait("a", 3'600'000), 0);
  EXPECT_GT(limits.wait("a", 3'600'000), 0);
}

TEST(RateLimits, a_slow_limit_is_asked_again_soon_so_that_its_change_is_seen) {
  RateLimits limits;
  limits.set("a", 1.0 / 3600, "1/h");
  EXPECT_EQ(limits.wait("a", 0), 0);
  for (int i = 0; i < 1'000; ++i) EXPECT_LE(limits.wait("a", 1), 5'000);
  limits.set("a", 1e-300, "1e-300/s");
  EXPECT_EQ(limits.wait("a", 0), 0);
  EXPECT_LE(limits.wait("a", 1), 5'000);
}

// All that wait come again when they are told to, as much as 50 ms late, and begin at the rate; few ask in
// vain.
TEST(RateLimits, many_that_wait_begin_at_the_rate) {
  RateLimits limits;
  limits.set("a", 20, "20/s");
  std::priority_queue<Millis, std::vector<Millis>, std::greater<>> asking;
  for (int i = 0; i < 200; ++i) asking.push(1'000);
  int begun = 0, asked = 0;
  Millis now = 0, last = 0, first = 1'000;
  while (!asking.empty()) {
    now = std::max(now, asking.top());
    asking.pop();
    ++asked;
    if (Millis wait = limits.wait("a", now); wait > 0) {
      asking.push(now + wait + asked * 7 % 50);
    } else {
      if (begun > 0) {
        EXPECT_GE(now - last, 25);
        EXPECT_GE(now - first, begun * 50 - 75);
      }
      last = now;
      ++begun;
    }
  }
  EXPECT_EQ(begun, 200);
  EXPECT_LT(last, 17'000);
  EXPECT_LT(asked, 4'000);
}

}  // namespace segments::celery
