#include "worker/errand.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <stdexcept>

namespace segments {

namespace {

bool is_rung(const Errand& errand, int wait_ms) {
  pollfd bell{errand.done_descriptor(), POLLIN, 0};
  return poll(&bell, 1, wait_ms) == 1;
}

}  // namespace

TEST(Errand, what_a_call_wrote_and_threw_is_there_when_it_is_done) {
  Errand errand;
  EXPECT_FALSE(errand.is_given());
  for (int i = 1; i <= 100; ++i) {
    int written = 0;
    errand.begin([&] {
      written = i;
      if (i % 2) throw std::runtime_error("odd");
    });
    EXPECT_TRUE(errand.is_given());
    ASSERT_TRUE(is_rung(errand, 60'000));
    EXPECT_TRUE(errand.is_done());
    EXPECT_EQ(errand.take_end() != nullptr, i % 2 == 1);
    EXPECT_EQ(written, i);
    EXPECT_FALSE(errand.is_given());
    EXPECT_FALSE(errand.is_done());
    EXPECT_FALSE(is_rung(errand, 0));
  }
}

TEST(Errand, its_end_waits_for_the_call_that_is_under_way) {
  std::mutex gate;
  bool is_over = false;
  gate.lock();
  {
    Errand errand;
    errand.begin([&] {
      std::lock_guard lock(gate);
      is_over = true;
    });
    EXPECT_FALSE(errand.is_done());
    EXPECT_FALSE(is_rung(errand, 0));
    gate.unlock();
  }
  EXPECT_TRUE(is_over);
}

TEST(Errand, signals_are_left_to_others) {
  Errand errand;
  sigset_t blocked;
  sigemptyset(&blocked);
  errand.begin([&] { pthread_sigmask(SIG_BLOCK, nullptr, &blocked); });
  ASSERT_TRUE(is_rung(errand, 60'000));
  errand.take_end();
  EXPECT_TRUE(sigismember(&blocked, SIGTERM));
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  EXPECT_FALSE(sigismember(&blocked, SIGTERM));
}

}  // namespace segments
