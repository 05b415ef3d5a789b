// Redis goes away and comes again.
#include "celery_control/test_node.h"

namespace segments::celery {

TEST_F(NodeTest, comes_back_with_redis_and_ends_without_it) {
  TestWorker worker(url(), {.task_events = true, .heartbeat_ms = 50});
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  ASSERT_TRUE(ask("ping"));
  auto clock = ask("clock")->at("clock").integer();
  server().restart();
  EXPECT_TRUE(comes_true([&] {
    try {
      return is_joined();
    } catch (const std::exception&) {
      return false;
    }
  }));
  std::atomic<int> beats = 0;
  {
    redis::Subscriber subscriber(redis::parse_url(url()), {"/0.celeryev/worker.heartbeat"}, {},
                                 {.on_message = [&](auto, auto) { ++beats; }, .on_subscribed = {}});
    EXPECT_TRUE(comes_true([&] { return beats > 3; }));
  }
  ASSERT_TRUE(ask("ping"));
  EXPECT_GT(ask("clock")->at("clock").integer(), clock);

  server().kill();
  // A run's events wait, others than the newest are dropped, and nobody waits for them.
  LeasedTask task{.id = "x", .name = "tasks.add"};
  for (std::size_t i = 0; i < EventBuffer::most + 500; ++i) worker.hooks.events.run_started(task, 1, 1);
  EXPECT_GE(worker.hooks.buffer.dropped(), 1u);
  auto since = steady_ms();
  worker.node.reset();
  EXPECT_LT(steady_ms() - since, 30'000);
  server().start();
}

TEST_F(NodeTest, starts_without_redis_and_frozen_redis_does_not_hold_its_end) {
  server().kill();
  {
    NodeHooks hooks(node_name);
    WorkerControls controls(1);
    redis::Client own(redis::parse_url(url()));
    CeleryQueueOptions options;
    hooks.attach(options);
    CeleryQueue queue(own, options);
    Node node(redis::parse_url(url()), queue, controls, hooks);
    node.wait_for_peers();  // comes back although there is nobody
    server().start();
    EXPECT_TRUE(comes_true([&] {
      try {
        return is_joined();
      } catch (const std::exception&) {
        return false;
      }
    }));
    ASSERT_TRUE(ask("ping"));
    server().pause();
  }
  server().resume();
  EXPECT_TRUE(comes_true([&] {
    try {
      return number({"DBSIZE"}) >= 0;
    } catch (const std::exception&) {
      return false;
    }
  }));
}

}  // namespace segments::celery
