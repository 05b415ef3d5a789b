#include "celery/server_clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "redis/test_peer.h"

namespace segments::celery {
namespace {

// Answers TIME once, and never again.
std::string answer_once(std::atomic<int>& asked) {
  return asked++ == 0 ? "*2\r\n$10\r\n1795000000\r\n$1\r\n0\r\n" : "";
}

TEST(ServerClock, nobody_waits_for_who_asks_a_server_that_hangs) {
  std::atomic<int> asked = 0;
  auto peer = std::make_unique<redis::TestPeer>([&](int, std::string_view) { return answer_once(asked); });
  constexpr Millis long_ms = 40'000;
  redis::Client client(redis::parse_url("redis://127.0.0.1:" + std::to_string(peer->port())),
                       {.connect_ms = 5'000, .answer_ms = long_ms});
  ServerClock clock(client, 0);
  Millis first = clock.now();
  EXPECT_GE(first, 1'795'000'000'000);
  std::atomic<bool> is_over = false;
  std::thread asker([&] {
    EXPECT_GE(clock.now(), first);
    is_over = true;
  });
  while (asked < 2) std::this_thread::yield();
  Millis began = steady_ms();
  EXPECT_GE(clock.now(), first);
  EXPECT_FALSE(is_over);
  EXPECT_LT(steady_ms() - began, long_ms / 2);
  peer.reset();
  asker.join();
  EXPECT_TRUE(is_over);
}

}  // namespace
}  // namespace segments::celery
