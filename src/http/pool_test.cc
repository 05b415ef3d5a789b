#include "http/pool.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace segments::http {
namespace {

// While it lives the system gives no thread: the stack asked for is larger than all addresses.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t attributes;
    pthread_getattr_default_np(&attributes);
    pthread_attr_setstacksize(&attributes, std::size_t{1} << 60);
    EXPECT_EQ(pthread_setattr_default_np(&attributes), 0);
    pthread_attr_destroy(&attributes);
  }
  ~NoThreads() {
    EXPECT_EQ(pthread_setattr_default_np(&before_), 0);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

TEST(Pool, RefusesAndDropsWhatNoThreadCouldRun) {
  Metrics metrics;
  std::promise<void> ran;  // before the pool: its thread may still be in set_value()
  Pool pool(2, 10, &metrics);
  auto held = std::make_shared<int>(0);
  std::weak_ptr<int> watched = held;
  {
    NoThreads none;
    EXPECT_FALSE(pool.add([held = std::move(held)] { FAIL() << "it was refused"; }, Pool::Entry::new_work));
  }
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(metrics.gauge("http_pool_queued", "").value(), 0);
  // Threads again: the next job runs, and the refused one does not come back.
  EXPECT_TRUE(pool.add([&] { ran.set_value(); }, Pool::Entry::new_work));
  ran.get_future().wait();
}

TEST(Pool, LeavesWorkToTheThreadsThatAreThere) {
  // Before the pool: its threads use them until it is gone.
  std::promise<void> begun, release, blocked, go_on;
  std::promise<std::thread::id> first, second;
  auto released = release.get_future(), went_on = go_on.get_future();
  Pool pool(3, 10, nullptr);
  EXPECT_TRUE(pool.add(
      [&] {
        begun.set_value();
        released.wait();
      },
      Pool::Entry::new_work));
  begun.get_future().wait();
  {
    NoThreads none;
    EXPECT_TRUE(pool.add([&] { first.set_value(std::this_thread::get_id()); }, Pool::Entry::new_work));
  }
  release.set_value();
  first.get_future().wait();
  // The thread that could not be made is not counted as waiting: a blocked one is relieved by a new one.
  EXPECT_TRUE(pool.add(
      [&] {
        blocked.set_value();
        went_on.wait();
      },
      Pool::Entry::new_work));
  blocked.get_future().wait();
  EXPECT_TRUE(pool.add([&] { second.set_value(std::this_thread::get_id()); }, Pool::Entry::new_work));
  auto made = second.get_future();
  bool is_relieved = made.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  go_on.set_value();
  EXPECT_TRUE(is_relieved);
}

TEST(Pool, RunsEachJobOnceWhoeverAddsAndEndsWithAllOfThem) {
  constexpr int adders = 4, each = 5'000;
  std::latch left(adders * each);
  std::vector<std::atomic<int>> times(adders * each);
  {
    Pool pool(3, 16, nullptr);
    std::vector<std::jthread> threads;
    for (int t = 0; t < adders; ++t)
      threads.emplace_back([&, t] {
        for (int i = t * each; i < (t + 1) * each; ++i) {
          auto job = [&, i] {
            ++times[static_cast<std::size_t>(i)];
            left.count_down();
          };
          const auto entry = i % 2 ? Pool::Entry::new_work : Pool::Entry::continued;
          while (!pool.add(job, entry)) std::this_thread::yield();  // its queue is full
        }
      });
    left.wait();
  }
  EXPECT_TRUE(std::ranges::all_of(times, [](const auto& count) { return count == 1; }));
}

}  // namespace
}  // namespace segments::http
