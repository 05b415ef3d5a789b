// What every TaskQueue must do. An implementation instantiates the suite with a factory:
//   INSTANTIATE_TEST_SUITE_P(Embedded, TaskQueueContract, testing::Values(QueueFactory{"embedded", make}));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "base/ids.h"
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

TEST_P(TaskQueueContract, a_new_task_waits_and_shows_what_was_given) {
  auto id = queue->enqueue(
      {.name = "tasks.test", .arguments = R"({"a":1})", .user_id = "ada", .parent_id = "batch"});
  EXPECT_EQ(id.size(), 26u);
  auto state = state_of(id);
  EXPECT_EQ(state.task_id, id);
  EXPECT_EQ(state.name, "tasks.test");
  EXPECT_EQ(state.user_id, "ada");
  EXPECT_EQ(state.status, TaskStatus::PENDING);
  EXPECT_EQ(state.created_at, format_time(clock));
  EXPECT_EQ(state.parent_id, "batch");
  EXPECT_FALSE(state.started_at || state.finished_at || state.result || state.error || state.worker ||
               state.message);
  EXPECT_FALSE(state.next_attempt_at);
  EXPECT_FALSE(queue->find_task("none"));
  EXPECT_FALSE(queue->find_task(""));
}

TEST_P(TaskQueueContract, a_leased_task_carries_everything_and_is_started) {
  auto id = queue->enqueue({.name = "tasks.test",
                            .arguments = R"({"text":"Žluť \"ok\"\n"})",
                            .user_id = "ada",
                            .max_retries = 7,
                            .time_limit_s = 11});
  auto task = lease_one();
  EXPECT_EQ(task.id, id);
  EXPECT_EQ(task.name, "tasks.test");
  EXPECT_EQ(task.arguments, R"({"text":"Žluť \"ok\"\n"})");
  EXPECT_EQ(task.user_id, "ada");
  EXPECT_EQ(task.retries, 0);
  EXPECT_EQ(task.max_retries, 7);
  EXPECT_EQ(task.time_limit_s, 11);
  auto state = state_of(id);
  EXPECT_EQ(state.status, TaskStatus::STARTED);
  EXPECT_EQ(state.worker, "w1");
  EXPECT_EQ(state.started_at, format_time(clock));
  EXPECT_TRUE(lease_ids(10).empty());
}

TEST_P(TaskQueueContract, success_keeps_its_result) {
  auto id = enqueue("");
  auto task = lease_one();
  advance(5);
  EXPECT_TRUE(queue->finish(task, R"({"pieces":[1,2.5,null]})"));
  auto state = state_of(id);
  EXPECT_EQ(state.status, TaskStatus::SUCCESS);
  ASSERT_TRUE(state.result);
  EXPECT_EQ(state.result->text, R"({"pieces":[1,2.5,null]})");
  EXPECT_EQ(state.finished_at, format_time(clock));
  EXPECT_EQ(state.progress, 100);
  EXPECT_FALSE(state.error);
  EXPECT_FALSE(queue->finish(task, "1")) << "an outcome is taken once";
  EXPECT_FALSE(queue->retry(task, "late", 0));
  EXPECT_FALSE(queue->fail(task, "late"));
  EXPECT_FALSE(queue->hand_back(task));
  EXPECT_FALSE(queue->renew(task, lease_ms));
  EXPECT_EQ(state_of(id).result->text, R"({"pieces":[1,2.5,null]})");
  EXPECT_TRUE(given_up().empty());
}

TEST_P(TaskQueueContract, a_known_id_is_not_queued_again) {
  EXPECT_EQ(enqueue("one"), "one");
  EXPECT_EQ(queue->enqueue({.id = "one", .name = "tasks.other", .arguments = R"({"other":1})"}), "one");
  auto task = lease_one();
  EXPECT_EQ(task.name, "tasks.test");
  EXPECT_EQ(enqueue("one"), "one");
  EXPECT_TRUE(lease_ids(10).empty()) << "not while it runs";
  queue->finish(task, "1");
  enqueue("one");
  EXPECT_TRUE(lease_ids(10).empty()) << "not when it is final";
  EXPECT_EQ(state_of("one").status, TaskStatus::SUCCESS);
  advance(24 * hour_ms + 1);
  enqueue("one");
  EXPECT_EQ(state_of("one").status, TaskStatus::PENDING) << "after 24 h the id is new, swept or not";
  EXPECT_FALSE(queue->finish(task, "2"));
  EXPECT_EQ(lease_ids(10), std::vector<std::string>{"one"});
}

TEST_P(TaskQueueContract, many_are_queued_at_once_and_known_ones_left_alone) {
  enqueue("b", 7);
  std::vector<NewTask> tasks{{.id = "a", .name = "tasks.test", .priority = 1},
                             {.id = "b", .name = "tasks.other", .priority = 9},
                             {.name = "tasks.test", .parent_id = "a"},
                             {.id = "a", .name = "tasks.other"}};
  queue->enqueue_all(tasks);
  queue->enqueue_all({});
  EXPECT_EQ(state_of("a").children, 1);
  EXPECT_EQ(state_of("a").name, "tasks.test");
  auto leased = lease_ids(10);
  ASSERT_EQ(leased.size(), 3u);
  EXPECT_EQ(leased[0], "b");
  EXPECT_EQ(leased[1], "a");
  EXPECT_EQ(leased[2].size(), 26u);
}

TEST_P(TaskQueueContract, dead_letters_go_after_thirty_days) {
  enqueue("old");
  queue->fail(lease_one(), "No.");
  for (auto& told : given_up()) queue->settle_given_up(told.task);
  advance(29 * 24 * hour_ms);
  queue->sweep();
  EXPECT_EQ(queue->list_dead_letters("", 10).size(), 1u);
  advance(24 * hour_ms);
  queue->sweep();
  EXPECT_TRUE(queue->list_dead_letters("", 10).empty());
  EXPECT_EQ(queue->health().dead_letters, 0);
  EXPECT_FALSE(queue->find_task("old"));
}

TEST_P(TaskQueueContract, priority_goes_first_then_age) {
  enqueue("a");
  enqueue("b");
  advance(1);
  enqueue("low", -3);
  enqueue("high", 5);
  enqueue("c");
  enqueue("higher", 9);
  EXPECT_EQ(lease_ids(4), (std::vector<std::string>{"higher", "high", "a", "b"}));
  EXPECT_EQ(lease_ids(4), (std::vector<std::string>{"c", "low"}));
}

TEST_P(TaskQueueContract, nothing_is_leased_where_nothing_is_asked_for) {
  enqueue("a");
  EXPECT_TRUE(lease_ids(0).empty());
  EXPECT_TRUE(lease_ids(-1).empty());
  EXPECT_EQ(state_of("a").status, TaskStatus::PENDING);
}

TEST_P(TaskQueueContract, a_delayed_task_waits_for_its_time) {
  queue->enqueue({.id = "later", .name = "tasks.test", .not_before = clock + 1000, .priority = 9});
  enqueue("now");
  EXPECT_EQ(state_of("later").next_attempt_at, format_time(clock + 1000));
  EXPECT_EQ(lease_ids(10), std::vector<std::string>{"now"});
  advance(999);
  EXPECT_TRUE(lease_ids(10).empty());
  advance(1);
  EXPECT_EQ(lease_ids(10), std::vector<std::string>{"later"});
}

TEST_P(TaskQueueContract, a_delayed_task_does_not_hold_up_others_of_its_priority) {
  for (int i = 0; i < 150; ++i)
    queue->enqueue({.name = "tasks.test", .not_before = clock + hour_ms, .priority = i % 3});
  enqueue("now");
  EXPECT_EQ(lease_ids(10), std::vector<std::string>{"now"});
}

TEST_P(TaskQueueContract, an_expired_task_is_not_begun_and_its_owner_is_told) {
  queue->enqueue({.id = "x", .name = "tasks.test", .expires = clock + 1000});
  queue->enqueue({.id = "y", .name = "tasks.test", .expires = clock + 1000});
  EXPECT_EQ(lease_ids(1), std::vector<std::string>{"x"});
  advance(1000);
  EXPECT_EQ(state_of("y").status, TaskStatus::PENDING) << "it may begin until then";
  advance(1);
  EXPECT_TRUE(lease_ids(10).empty());
  EXPECT_EQ(state_of("x").status, TaskStatus::STARTED) << "what runs does not expire";
  auto state = state_of("y");
  EXPECT_EQ(state.status, TaskStatus::REVOKED);
  EXPECT_EQ(state.error, "The task was not begun before it expired.");
  auto told = given_up();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].task.id, "y");
  EXPECT_FALSE(told[0].revoked);
}

TEST_P(TaskQueueContract, sweeping_expires_too) {
  queue->enqueue({.id = "y", .name = "tasks.test", .expires = clock + 1000});
  advance(1001);
  queue->sweep();
  EXPECT_EQ(state_of("y").status, TaskStatus::REVOKED);
}

TEST_P(TaskQueueContract, a_retry_waits_and_counts) {
  auto id = enqueue("");
  auto task = lease_one();
  EXPECT_TRUE(queue->retry(task, "The platform did not answer.", clock + 500));
  auto state = state_of(id);
  EXPECT_EQ(state.status, TaskStatus::RETRY);
  EXPECT_EQ(state.error, "The platform did not answer.");
  EXPECT_EQ(state.retries, 1);
  EXPECT_EQ(state.next_attempt_at, format_time(clock + 500));
  EXPECT_FALSE(state.worker);
  EXPECT_TRUE(lease_ids(1).empty());
  EXPECT_FALSE(queue->finish(task, "1")) << "the lease is over";
  advance(500);
  auto again = lease_one("w2");
  EXPECT_EQ(again.id, id);
  EXPECT_EQ(again.retries, 1);
  EXPECT_GT(again.fence, task.fence);
  EXPECT_TRUE(queue->finish(again, "2"));
  state = state_of(id);
  EXPECT_EQ(state.status, TaskStatus::SUCCESS);
  EXPECT_FALSE(state.error) << "the error of a run that was made good is not shown";
}

TEST_P(TaskQueueContract, a_failure_is_kept_as_a_dead_letter) {
  queue->enqueue({.id = "bad", .name = "tasks.test", .arguments = R"({"k":"v"})"});
  auto task = lease_one();
  advance(10);
  EXPECT_TRUE(queue->fail(task, "The file is not a video."));
  auto state = state_of("bad");
  EXPECT_EQ(state.status, TaskStatus::FAILURE);
  EXPECT_EQ(state.error, "The file is not a video.");
  auto letters = queue->list_dead_letters("", 10);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].task_id, "bad");
  EXPECT_EQ(letters[0].name, "tasks.test");
  EXPECT_EQ(letters[0].arguments, R"({"k":"v"})");
  EXPECT_EQ(letters[0].error, "The file is not a video.");
  EXPECT_EQ(letters[0].died_at, format_time(clock));
  EXPECT_EQ(queue->health().dead_letters, 1);
}

TEST_P(TaskQueueContract, dead_letters_are_paged_queued_again_and_dropped) {
  for (std::string id : {"d1", "d2", "d3"}) enqueue(id);
  for (const auto& task : queue->lease_tasks("w1", 3, lease_ms)) queue->fail(task, "No.");
  auto first = queue->list_dead_letters("", 2);
  ASSERT_EQ(first.size(), 2u);
  auto rest = queue->list_dead_letters(first.back().task_id, 2);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ((std::set{first[0].task_id, first[1].task_id, rest[0].task_id}),
            (std::set<std::string>{"d1", "d2", "d3"}));

  EXPECT_TRUE(queue->remove_dead_letter("d1"));
  EXPECT_FALSE(queue->remove_dead_letter("d1"));
  EXPECT_FALSE(queue->requeue_dead_letter("d1"));
  EXPECT_EQ(state_of("d1").status, TaskStatus::FAILURE) << "the result is still kept for its 24 h";
  EXPECT_TRUE(queue->requeue_dead_letter("d2"));
  EXPECT_FALSE(queue->requeue_dead_letter("d2"));
  EXPECT_FALSE(queue->requeue_dead_letter("none"));
  EXPECT_EQ(queue->health().dead_letters, 1);
  auto state = state_of("d2");
  EXPECT_EQ(state.status, TaskStatus::PENDING);
  EXPECT_EQ(state.retries, 0);
  EXPECT_FALSE(state.error || state.finished_at);
  auto task = lease_one();
  EXPECT_EQ(task.id, "d2");
  EXPECT_TRUE(queue->finish(task, "1"));
  for (const auto& told : given_up()) EXPECT_NE(told.task.id, "d2") << "it did not end without success";
}

TEST_P(TaskQueueContract, results_are_kept_a_day_and_dead_letters_longer) {
  enqueue("good");
  enqueue("bad");
  enqueue("dropped");
  enqueue("off");
  auto tasks = queue->lease_tasks("w1", 3, lease_ms);
  ASSERT_EQ(tasks.size(), 3u);
  queue->finish(tasks[0], "1");
  queue->fail(tasks[1], "No.");
  queue->fail(tasks[2], "No.");
  queue->remove_dead_letter("dropped");
  queue->revoke("off");
  for (const auto& told : given_up()) EXPECT_TRUE(queue->settle_given_up(told.task));
  enqueue("waits");
  advance(24 * hour_ms - 1);
  queue->sweep();
  for (auto id : {"good", "bad", "dropped", "off", "waits"}) EXPECT_TRUE(queue->find_task(id)) << id;
  advance(2);
  queue->sweep();
  for (auto id : {"good", "dropped", "off"}) EXPECT_FALSE(queue->find_task(id)) << id;
  EXPECT_TRUE(queue->find_task("waits"));
  EXPECT_EQ(queue->list_dead_letters("", 10).size(), 1u);
  EXPECT_EQ(count_of(TaskStatus::SUCCESS), 1) << "final ones are counted for ever";
  EXPECT_EQ(count_of(TaskStatus::FAILURE), 2);
  EXPECT_EQ(count_of(TaskStatus::REVOKED), 1);
  EXPECT_EQ(count_of(TaskStatus::PENDING), 1);
}

TEST_P(TaskQueueContract, what_ended_without_success_is_kept_until_its_owner_was_told) {
  enqueue("bad");
  queue->fail(lease_one(), "No.");
  queue->remove_dead_letter("bad");
  advance(48 * hour_ms);
  queue->sweep();
  auto told = given_up();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].error, "No.");
  EXPECT_TRUE(queue->settle_given_up(told[0].task));
  queue->sweep();
  EXPECT_FALSE(queue->find_task("bad"));
}

TEST_P(TaskQueueContract, revoking_a_waiting_task_ends_it_at_once) {
  enqueue("a");
  queue->enqueue({.id = "later", .name = "tasks.test", .not_before = clock + 1000});
  EXPECT_TRUE(queue->revoke("a"));
  EXPECT_TRUE(queue->revoke("later"));
  EXPECT_FALSE(queue->revoke("a")) << "it is final";
  EXPECT_FALSE(queue->revoke("none"));
  advance(2000);
  EXPECT_TRUE(lease_ids(10).empty());
  EXPECT_EQ(state_of("a").status, TaskStatus::REVOKED);
  EXPECT_TRUE(state_of("a").finished_at);
  EXPECT_TRUE(given_up().empty()) << "who revokes a waiting task knows it";
}

TEST_P(TaskQueueContract, revoking_a_running_task_is_seen_by_its_worker) {
  enqueue("a");
  enqueue("b");
  auto tasks = queue->lease_tasks("w1", 2, lease_ms);
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_TRUE(queue->revoked_tasks({"a", "b"}).empty());
  EXPECT_TRUE(queue->revoked_tasks({}).empty());
  EXPECT_TRUE(open()->revoke("a"));
  EXPECT_EQ(queue->revoked_tasks({"a", "b", "none"}), std::vector<std::string>{"a"});
  EXPECT_EQ(state_of("a").status, TaskStatus::REVOKED);
  EXPECT_FALSE(queue->finish(tasks[0], "1"));
  EXPECT_FALSE(queue->retry(tasks[0], "x", 0));
  EXPECT_FALSE(queue->fail(tasks[0], "x"));
  EXPECT_TRUE(given_up().empty()) << "the run may still be going";
  EXPECT_TRUE(queue->hand_back(tasks[0]));
  EXPECT_TRUE(lease_ids(10).empty()) << "it is not run again";
  auto told = given_up();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].task.id, "a");
  EXPECT_TRUE(told[0].revoked);
  EXPECT_EQ(state_of("a").status, TaskStatus::REVOKED);
}

TEST_P(TaskQueueContract, a_revoked_run_whose_worker_died_is_told_after_its_lease) {
  enqueue("a");
  lease_one();
  queue->revoke("a");
  advance(lease_ms - 1);
  EXPECT_TRUE(given_up().empty());
  advance(1);
  auto told = given_up();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].revoked);
}

TEST_P(TaskQueueContract, giving_up_is_told_again_until_it_is_settled) {
  queue->enqueue({.id = "bad", .name = "tasks.test", .arguments = R"({"k":1})", .user_id = "ada"});
  queue->fail(lease_one(), "No.");
  auto first = given_up();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].task.id, "bad");
  EXPECT_EQ(first[0].task.name, "tasks.test");
  EXPECT_EQ(first[0].task.arguments, R"({"k":1})");
  EXPECT_EQ(first[0].task.user_id, "ada");
  EXPECT_EQ(first[0].error, "No.");
  EXPECT_FALSE(first[0].revoked);
  EXPECT_TRUE(given_up().empty()) << "one worker at a time";
  advance(lease_ms);
  auto second = given_up();
  ASSERT_EQ(second.size(), 1u) << "the first worker died";
  EXPECT_FALSE(queue->settle_given_up(first[0].task)) << "an older fence";
  EXPECT_TRUE(queue->settle_given_up(second[0].task));
  EXPECT_FALSE(queue->settle_given_up(second[0].task));
  advance(lease_ms);
  EXPECT_TRUE(given_up().empty());
  EXPECT_EQ(state_of("bad").status, TaskStatus::FAILURE);
}

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

TEST_P(TaskQueueContract, progress_is_shown_and_never_falls) {
  enqueue("a");
  EXPECT_FALSE(queue->put_task_progress("a", 10, "Not yet running")) << "only of what runs";
  EXPECT_FALSE(queue->put_task_progress("none", 10, ""));
  auto task = lease_one();
  EXPECT_TRUE(queue->put_task_progress("a", 40, "Cutting"));
  EXPECT_TRUE(open()->put_task_progress("a", 30, "Uploading"));
  auto state = state_of("a");
  EXPECT_EQ(state.progress, 40);
  EXPECT_EQ(state.message, "Uploading");
  queue->put_task_progress("a", 1e9, "");
  EXPECT_EQ(state_of("a").progress, 100);
  queue->finish(task, "1");
  EXPECT_FALSE(queue->put_task_progress("a", 50, "late"));
}

TEST_P(TaskQueueContract, a_batch_counts_its_children) {
  enqueue("batch");
  for (int i = 0; i < 4; ++i)
    queue->enqueue(
        {.id = "c" + std::to_string(i), .name = "tasks.child", .parent_id = "batch", .priority = 1});
  queue->enqueue({.id = "c0", .name = "tasks.child", .parent_id = "batch"});
  EXPECT_EQ(state_of("batch").children, 4);
  EXPECT_EQ(state_of("batch").children_done, 0);
  auto tasks = queue->lease_tasks("w1", 3, lease_ms);
  ASSERT_EQ(tasks.size(), 3u);
  queue->finish(tasks[0], "1");
  queue->fail(tasks[1], "No.");
  queue->retry(tasks[2], "Later.", clock + 1000);
  EXPECT_EQ(state_of("batch").children_done, 2);
  queue->revoke("c3");
  EXPECT_EQ(state_of("batch").children_done, 3);
  queue->requeue_dead_letter(tasks[1].id);
  EXPECT_EQ(state_of("batch").children_done, 2);
  EXPECT_EQ(state_of("batch").children, 4);
  advance(25 * hour_ms);
  queue->sweep();
  EXPECT_EQ(state_of("batch").children, 4) << "children that were swept stay counted";
  EXPECT_EQ(state_of("batch").children_done, 2);
}

TEST_P(TaskQueueContract, health_counts_by_name_and_status) {
  EXPECT_TRUE(queue->health().counts.empty());
  EXPECT_EQ(queue->health().oldest_waiting, 0);
  EXPECT_EQ(queue->health().newest_worker_heartbeat, 0);
  Millis begin = clock;
  enqueue("a");
  advance(10);
  enqueue("b");
  queue->enqueue({.id = "o", .name = "tasks.other"});
  queue->enqueue({.id = "later", .name = "tasks.test", .not_before = clock + 1000});
  EXPECT_EQ(count_of(TaskStatus::PENDING), 3);
  EXPECT_EQ(count_of(TaskStatus::PENDING, "tasks.other"), 1);
  EXPECT_EQ(queue->health().oldest_waiting, begin);
  auto tasks = queue->lease_tasks("w1", 3, lease_ms);
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(queue->health().oldest_waiting, 0) << "a delayed task could not run yet";
  EXPECT_EQ(count_of(TaskStatus::PENDING), 1);
  EXPECT_EQ(count_of(TaskStatus::STARTED), 2);
  queue->finish(tasks[0], "1");
  queue->retry(tasks[1], "Later.", clock + 5000);
  EXPECT_EQ(count_of(TaskStatus::STARTED), 0);
  EXPECT_EQ(count_of(TaskStatus::RETRY), 1);
  EXPECT_EQ(count_of(TaskStatus::SUCCESS), 1);
  Millis due = clock + 1000;
  advance(2000);
  EXPECT_EQ(queue->health().oldest_waiting, due);
}

TEST_P(TaskQueueContract, a_worker_heartbeat_is_seen_by_all) {
  auto other = open();
  queue->beat("w1");
  Millis first = clock;
  EXPECT_EQ(other->health().newest_worker_heartbeat, first);
  advance(1000);
  other->beat("w2");
  EXPECT_EQ(queue->health().newest_worker_heartbeat, clock.load());
}

TEST_P(TaskQueueContract, tasks_outlive_who_queued_them) {
  enqueue("a");
  queue.reset();
  queue = open();
  EXPECT_EQ(state_of("a").status, TaskStatus::PENDING);
  auto task = lease_one();
  queue.reset();
  queue = open();
  EXPECT_TRUE(queue->finish(task, "1")) << "a lease outlives it too";
}

TEST_P(TaskQueueContract, awkward_texts_come_back_as_they_went_in) {
  std::string awkward = "a'b\"c\\d%00/../é😀;--\t\n";
  queue->enqueue({.id = awkward, .name = "tasks.test", .user_id = awkward, .parent_id = awkward});
  EXPECT_EQ(state_of(awkward).user_id, awkward);
  auto task = lease_one();
  EXPECT_EQ(task.id, awkward);
  EXPECT_TRUE(queue->put_task_progress(awkward, 1, awkward));
  EXPECT_EQ(state_of(awkward).message, awkward);
  EXPECT_TRUE(queue->fail(task, awkward));
  EXPECT_EQ(state_of(awkward).error, awkward);
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

TEST_P(TaskQueueContract, the_same_id_from_many_at_once_is_queued_once) {
  std::vector<std::thread> threads;
  auto second = open();
  for (int i = 0; i < 8; ++i)
    threads.emplace_back(
        [&, i] { (i % 2 ? *queue : *second).enqueue({.id = "same", .name = "tasks.test"}); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(lease_ids(10), std::vector<std::string>{"same"});
  EXPECT_EQ(count_of(TaskStatus::STARTED), 1);
}

TEST_P(TaskQueueContract, of_revoking_and_finishing_at_once_one_wins) {
  for (int round = 0; round < 20; ++round) {
    std::string id = "r" + std::to_string(round);
    enqueue(id);
    auto task = lease_one();
    bool finished = false, revoked = false;
    std::thread finishing([&] { finished = queue->finish(task, "1"); });
    std::thread revoking([&] { revoked = queue->revoke(id); });
    finishing.join();
    revoking.join();
    EXPECT_NE(finished, revoked);
    EXPECT_EQ(state_of(id).status, finished ? TaskStatus::SUCCESS : TaskStatus::REVOKED);
  }
}

}  // namespace segments
