// What the contract suite of queues works on: a queue of one test, its clock, and short ways to ask it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "queue/task_queue.h"

namespace segments {

// One queue of one test, empty at first. open() may be called several times, as several processes do: all
// that it gives see the same tasks.
class QueueUnderTest {
 public:
  virtual ~QueueUnderTest() = default;
  virtual std::unique_ptr<TaskQueue> open(std::function<Millis()> clock) = 0;
};

struct QueueFactory {
  std::string name;
  std::function<std::unique_ptr<QueueUnderTest>()> make;
};
inline void PrintTo(const QueueFactory& factory, std::ostream* out) {
  *out << factory.name;
}

class TaskQueueContract : public testing::TestWithParam<QueueFactory> {
 protected:
  static constexpr int lease_ms = 30'000;
  static constexpr Millis hour_ms = 3'600'000;

  std::unique_ptr<TaskQueue> open() {
    return under_test->open([this] { return clock.load(); });
  }
  void advance(Millis ms) { clock += ms; }

  std::string enqueue(std::string id, int priority = 0) {
    return queue->enqueue(
        {.id = std::move(id), .name = "tasks.test", .user_id = "ada", .priority = priority});
  }
  std::vector<std::string> lease_ids(int most) {
    std::vector<std::string> ids;
    for (const auto& task : queue->lease_tasks("w1", most, lease_ms)) ids.push_back(task.id);
    return ids;
  }
  LeasedTask lease_one(std::string_view worker = "w1") {
    auto tasks = queue->lease_tasks(worker, 1, lease_ms);
    EXPECT_EQ(tasks.size(), 1u);
    return tasks.empty() ? LeasedTask{} : tasks.front();
  }
  TaskState state_of(std::string_view id) {
    auto state = queue->find_task(id);
    EXPECT_TRUE(state) << id;
    return state.value_or(TaskState{});
  }
  std::int64_t count_of(TaskStatus status, std::string_view name = "tasks.test") {
    std::int64_t count = 0;
    for (const auto& entry : queue->health().counts)
      if (entry.name == name && entry.status == status) count += entry.count;
    return count;
  }
  std::vector<GivenUpTask> given_up() { return queue->lease_given_up(10, lease_ms); }

  std::atomic<Millis> clock{1'795'000'000'000};
  std::unique_ptr<QueueUnderTest> under_test = GetParam().make();
  std::unique_ptr<TaskQueue> queue = open();
};

}  // namespace segments
