// Tasks that wait: what is queued, in which order and when it is handed out.
#pragma once

#include <thread>

#include "queue/queue_under_test.h"

namespace segments {

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

TEST_P(TaskQueueContract, a_task_is_queued_later_once_that_is_begun) {
  auto first = queue->enqueue_later({.id = "one", .name = "tasks.test", .user_id = "ada"});
  EXPECT_FALSE(queue->find_task("one")) << "nothing has begun";
  EXPECT_EQ(std::move(first).wait(), "one");
  EXPECT_EQ(state_of("one").user_id, "ada");
  EXPECT_EQ(queue->enqueue_later({.id = "one", .name = "tasks.other"}).wait(), "one");
  EXPECT_EQ(state_of("one").name, "tasks.test");
  auto made = queue->enqueue_later({.name = "tasks.test"}).wait();
  EXPECT_EQ(made.size(), 26u);
  EXPECT_EQ(state_of(made).status, TaskStatus::PENDING);
  EXPECT_EQ(lease_ids(10).size(), 2u);
}

TEST_P(TaskQueueContract, many_are_queued_at_once_and_known_ones_left_alone) {
  enqueue("b", 2);
  std::vector<NewTask> tasks{{.id = "a", .name = "tasks.test", .priority = 5},
                             {.id = "b", .name = "tasks.other", .priority = 9},
                             {.name = "tasks.test", .parent_id = "a", .priority = 9},
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

// Celery's: 0 is served first, and the priorities of a step (0-2, 3-5, 6-8, 9) are served alike.
TEST_P(TaskQueueContract, priority_goes_first_then_age) {
  enqueue("nine", 9);
  enqueue("beyond", 1'000);
  enqueue("six", 6);
  advance(1);
  enqueue("five", 5);
  enqueue("eight", 8);
  enqueue("three", 3);
  enqueue("two", 2);
  enqueue("zero", 0);
  enqueue("negative", -3);
  EXPECT_EQ(lease_ids(4), (std::vector<std::string>{"two", "zero", "negative", "five"}));
  EXPECT_EQ(lease_ids(9), (std::vector<std::string>{"three", "six", "eight", "nine", "beyond"}));
}

TEST_P(TaskQueueContract, nothing_is_leased_where_nothing_is_asked_for) {
  enqueue("a");
  EXPECT_TRUE(lease_ids(0).empty());
  EXPECT_TRUE(lease_ids(-1).empty());
  EXPECT_EQ(state_of("a").status, TaskStatus::PENDING);
}

TEST_P(TaskQueueContract, a_delayed_task_waits_for_its_time) {
  queue->enqueue({.id = "later", .name = "tasks.test", .not_before = clock + 1000});
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
    queue->enqueue({.name = "tasks.test", .not_before = clock + hour_ms, .priority = i % 9});
  enqueue("now", 9);
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

}  // namespace segments
