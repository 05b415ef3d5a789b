#include "base/processor.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <thread>

namespace segments {
namespace {

std::int64_t ran_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

void run_for(std::int64_t ns) {
  for (const auto begun = ran_ns(); ran_ns() - begun < ns;) {
  }
}

TEST(ProcessorUseTest, ThreadHasRunAtLeastAsLongAsItsOwnClockSays) {
  ProcessorUse use;
  const auto before = use.read();
  if (!before) GTEST_SKIP() << "this kernel does not tell";
  run_for(30'000'000);
  sched_yield();  // what it has run since it was let on is told when it leaves, or at a tick of the clock
  const auto after = use.read();
  ASSERT_TRUE(after);
  EXPECT_GE(after->ran_ns - before->ran_ns, 20'000'000);
}

TEST(ProcessorUseTest, AnotherThreadSeesHowLongThisOneWaited) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  std::atomic<bool> ended = false;
  // Two on one processor: while the one runs the other waits.
  std::thread other([&] {
    sched_setaffinity(0, sizeof one, &one);
    while (!ended) run_for(1'000'000);
  });
  std::optional<ProcessorUse::Times> before, after;
  std::thread crowded([&] {
    ProcessorUse use;
    sched_setaffinity(0, sizeof one, &one);
    before = use.read();
    run_for(100'000'000);
    std::thread([&] { after = use.read(); }).join();
  });
  crowded.join();
  ended = true;
  other.join();
  if (!before) GTEST_SKIP() << "this kernel does not tell";
  ASSERT_TRUE(after);
  EXPECT_GT(after->waited_ns - before->waited_ns, 1'000'000);
}

}  // namespace
}  // namespace segments
