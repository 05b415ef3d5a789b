#include "app/child_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "base/error.h"

namespace segments {
namespace {

TEST(TakeTurns, RefusesForNowWhoWouldWaitTooLong) {
  std::latch all_probe(2), finish(1);
  auto probe = take_turns(
      [&](const std::string& location) {
        if (location == "waits") {
          all_probe.count_down();
          finish.wait();
        }
        MediaInfo info;
        info.duration = 7;
        return info;
      },
      2, 10);
  std::vector<std::jthread> callers;
  for (int i = 0; i < 2; ++i) callers.emplace_back([&] { probe("waits"); });
  all_probe.wait();
  try {
    probe("at once");
    ADD_FAILURE() << "three probed at once";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_EQ(error.retry_after_s(), 2);
  }
  finish.count_down();
  callers.clear();
  EXPECT_EQ(probe("at once").duration, 7);
}

TEST(TakeTurns, EveryCallerGetsItsTurnAndNeverMoreAtOnce) {
  std::atomic<int> now{0}, most{0}, done{0};
  auto probe = take_turns(
      [&](const std::string& location) -> MediaInfo {
        int mine = ++now, before = most;
        while (mine > before && !most.compare_exchange_weak(before, mine)) {
        }
        std::this_thread::yield();
        --now;
        ++done;
        if (location == "broken") throw Error(ErrorKind::invalid, "It is broken.");
        return {};
      },
      4, 60'000);
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 32; ++i)
      callers.emplace_back([&, i] {
        for (int k = 0; k < 50; ++k) {
          if (i % 2 == 0) {
            probe("whole");
          } else {
            EXPECT_THROW(probe("broken"), Error);
          }
        }
      });
  }
  EXPECT_EQ(done, 32 * 50) << "a place that a failure kept would stop the rest";
  EXPECT_LE(most, 4);
}

}  // namespace
}  // namespace segments
