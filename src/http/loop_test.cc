#include "http/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "http/test_client.h"

namespace segments::http {
namespace {

struct Swept : Tracked {
  explicit Swept(Millis quiet) : quiet_ms(quiet) {}
  Millis sweep(Millis now) override {
    if (now < quiet_until) ++too_early;
    ++times;
    return quiet_until = quiet_ms ? now + quiet_ms : 0;
  }
  void stop_gracefully() override {}

  const Millis quiet_ms;
  Millis quiet_until = 0;
  std::atomic<int> times{0}, too_early{0};
};

TEST(LoopTest, WhoHasTimeIsNotAskedAtEveryTurn) {
  Router router({}, {});
  Shared shared(router, {.io_threads = 1}, nullptr);
  Loop loop(shared);
  Swept always(0), seldom(700), hardly(3'600'000), gone(0);
  // The last takes the place of one that leaves, and keeps what it said.
  loop.add(gone);
  loop.add(always);
  loop.add(seldom);
  loop.add(hardly);
  std::thread thread([&] { loop.run(); });
  const bool began = test::eventually([&] { return hardly.times == 1 && gone.times > 0; });
  asio::post(loop.context, [&] { loop.remove(gone); });
  const bool went_on = test::eventually([&] { return seldom.times >= 2 && always.times >= 4; });
  loop.stop_now();
  thread.join();
  loop.remove(always);
  loop.remove(seldom);
  loop.remove(hardly);
  EXPECT_TRUE(began);
  EXPECT_TRUE(went_on) << always.times << ", " << seldom.times;
  EXPECT_EQ(hardly.times, 1);
  EXPECT_EQ(seldom.too_early, 0);
  EXPECT_LT(seldom.times, always.times);
}

}  // namespace
}  // namespace segments::http
