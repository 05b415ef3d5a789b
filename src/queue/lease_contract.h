// Leases: how long a task is one worker's, and what becomes of it when the worker dies.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "queue/queue_under_test.h"

namespace segments {

TEST_P(TaskQueueContract, a_lease_that_ends_hands_the_task_out_again) {
  auto id = enqueue("");
  auto old = lease_one("w1");
  advance(lease_ms - 1);
  EXPECT_TRUE(queue->lease_tasks("w2", 1, lease_ms).empty());
  advance(1);
  auto fresh = lease_one("w2");
  EXPECT_EQ(fresh.id, id);
  EXPECT_EQ(fresh.retries, 0) << "the death of a worker is not a retry of the task";
  EXPECT_GT(fresh.fence, old.fence);
  EXPECT_FALSE(queue->renew(old, lease_ms));
  EXPECT_FALSE(queue->finish(old, R"("old")"));
  EXPECT_FALSE(queue->retry(old, "old", 0));
  EXPECT_FALSE(queue->fail(old, "old"));
  EXPECT_FALSE(queue->hand_back(old));
  EXPECT_EQ(state_of(id).worker, "w2");
  EXPECT_TRUE(queue->finish(fresh, R"("new")"));
  EXPECT_EQ(state_of(id).result->text, R"("new")");
}

TEST_P(TaskQueueContract, renewing_keeps_a_lease) {
  enqueue("a");
  auto task = lease_one();
  for (int i = 0; i < 5; ++i) {
    advance(lease_ms - 1);
    EXPECT_TRUE(queue->renew(task, lease_ms));
    EXPECT_TRUE(queue->lease_tasks("w2", 1, lease_ms).empty());
  }
  advance(lease_ms + 1);
  EXPECT_TRUE(queue->renew(task, lease_ms)) << "late, but nobody else has taken it";
  EXPECT_TRUE(queue->lease_tasks("w2", 1, lease_ms).empty());
  EXPECT_TRUE(queue->finish(task, "1"));
}

TEST_P(TaskQueueContract, a_poison_task_is_failed_after_five_deaths) {
  enqueue("poison");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(lease_ids(1).size(), 1u) << i;
    advance(lease_ms);
  }
  EXPECT_TRUE(lease_ids(1).empty());
  auto state = state_of("poison");
  EXPECT_EQ(state.status, TaskStatus::FAILURE);
  EXPECT_EQ(state.error, "The worker died 5 times while running it.");
  EXPECT_EQ(queue->list_dead_letters("", 10).size(), 1u);
  auto told = given_up();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].error, "The worker died 5 times while running it.");
  EXPECT_TRUE(queue->requeue_dead_letter("poison"));
  EXPECT_EQ(lease_ids(1).size(), 1u);
  advance(lease_ms);
  EXPECT_EQ(lease_ids(1).size(), 1u) << "queued again, it starts afresh";
}

TEST_P(TaskQueueContract, sweeping_ends_leases_too) {
  enqueue("poison");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(lease_ids(1).size(), 1u);
    advance(lease_ms);
    queue->sweep();
  }
  EXPECT_EQ(state_of("poison").status, TaskStatus::FAILURE);
}

TEST_P(TaskQueueContract, handing_back_costs_nothing) {
  enqueue("a");
  enqueue("b");
  for (int i = 0; i < 8; ++i) {
    auto task = lease_one();
    EXPECT_EQ(task.id, "a") << "it keeps its place";
    EXPECT_EQ(task.retries, 0);
    EXPECT_TRUE(queue->hand_back(task));
    EXPECT_EQ(state_of("a").status, TaskStatus::PENDING);
    EXPECT_FALSE(queue->hand_back(task));
  }
}

TEST_P(TaskQueueContract, many_workers_lease_each_task_once) {
  constexpr int tasks = 400, workers = 8;
  auto run_together = [](int count, const std::function<void(int)>& f) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(f, i);
    for (auto& thread : threads) thread.join();
  };
  auto second = open();
  run_together(workers, [&](int n) {
    auto& mine = n % 2 ? *queue : *second;
    for (int i = n; i < tasks; i += workers)
      mine.enqueue({.id = "t" + std::to_string(i), .name = "tasks.test"});
  });
  std::mutex mutex;
  std::multiset<std::string> leased;
  std::set<std::int64_t> fences;
  run_together(workers, [&](int n) {
    auto& mine = n % 2 ? *queue : *second;
    while (true) {
      auto batch = mine.lease_tasks("w" + std::to_string(n), 3, lease_ms);
      if (batch.empty()) return;
      for (const auto& task : batch) {
        EXPECT_TRUE(mine.finish(task, "1"));
        std::lock_guard lock(mutex);
        leased.insert(task.id);
        fences.insert(task.fence);
      }
    }
  });
  EXPECT_EQ(leased.size(), std::size_t{tasks});
  EXPECT_EQ(std::set(leased.begin(), leased.end()).size(), std::size_t{tasks});
  EXPECT_EQ(fences.size(), std::size_t{tasks});
  EXPECT_EQ(count_of(TaskStatus::SUCCESS), tasks);
  EXPECT_EQ(count_of(TaskStatus::STARTED), 0);
}

}  // namespace segments
