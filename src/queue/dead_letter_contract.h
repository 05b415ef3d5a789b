// Tasks that ended without success: dead letters, who is told, and how long anything is kept.
#pragma once

#include <set>

#include "queue/queue_under_test.h"

namespace segments {

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

}  // namespace segments
