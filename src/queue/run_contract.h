// Tasks that run: what they are given, how they end, and what is shown of them meanwhile.
#pragma once

#include <thread>

#include "queue/queue_under_test.h"

namespace segments {

TEST_P(TaskQueueContract, a_leased_task_carries_everything_and_is_started) {
  auto id = queue->enqueue({.name = "tasks.test",
                            .arguments = R"({"text":"Žluť \"ok\"\n"})",
                            .user_id = "ada",
                            .max_retries = 7,
                            .time_limit_s = 11,
                            .soft_time_limit_s = 7});
  auto task = lease_one();
  EXPECT_EQ(task.id, id);
  EXPECT_EQ(task.name, "tasks.test");
  EXPECT_EQ(task.arguments, R"({"text":"Žluť \"ok\"\n"})");
  EXPECT_EQ(task.user_id, "ada");
  EXPECT_EQ(task.retries, 0);
  EXPECT_EQ(task.max_retries, 7);
  EXPECT_EQ(task.time_limit_s, 11);
  EXPECT_EQ(task.soft_time_limit_s, 7);
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
  enqueue("batch", 9);
  for (int i = 0; i < 4; ++i)
    queue->enqueue({.id = "c" + std::to_string(i), .name = "tasks.child", .parent_id = "batch"});
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

// As a worker does it once a tick: whatever ended, each by itself, and what runs on is renewed together.
TEST_P(TaskQueueContract, many_leases_end_and_are_renewed_at_once) {
  for (std::string id : {"done", "again", "bad", "slow", "warned", "lost", "back", "runs", "off"})
    enqueue(id);
  auto tasks = queue->lease_tasks("w1", 9, lease_ms);
  ASSERT_EQ(tasks.size(), 9u);
  advance(lease_ms - 1);
  EXPECT_EQ(queue->renew_all(tasks, lease_ms), std::vector<bool>(9, true));
  EXPECT_TRUE(queue->revoke("off"));
  auto stranger = tasks[0];
  stranger.fence += 1'000'000;
  EXPECT_EQ(queue->renew_all(std::vector{tasks[7], stranger, tasks[8]}, lease_ms),
            (std::vector<bool>{true, false, false}));
  std::vector<LeaseEnd> ends{
      {tasks[0], LeaseEnding::finish, R"({"n":1})"},
      {stranger, LeaseEnding::finish, "2"},
      {tasks[1], LeaseEnding::retry, "Later.", clock + 1000},
      {tasks[2], LeaseEnding::fail, "No."},
      {tasks[3], LeaseEnding::time_limit, "It took too long."},
      {tasks[4], LeaseEnding::soft_time_limit, "It was told to end."},
      {tasks[5], LeaseEnding::worker_lost, "Its process died."},
      {tasks[6], LeaseEnding::hand_back},
      {tasks[8], LeaseEnding::finish, "3"},
      {tasks[8], LeaseEnding::hand_back},
      {tasks[0], LeaseEnding::fail, "It is over already."},
  };
  EXPECT_EQ(queue->end_leases(ends),
            (std::vector<bool>{true, false, true, true, true, true, true, true, false, true, false}));
  EXPECT_TRUE(queue->end_leases({}).empty());
  EXPECT_TRUE(queue->renew_all({}, lease_ms).empty());
  EXPECT_EQ(state_of("done").result->text, R"({"n":1})");
  EXPECT_EQ(state_of("again").status, TaskStatus::RETRY);
  EXPECT_EQ(state_of("slow").status, TaskStatus::FAILURE);
  EXPECT_EQ(state_of("slow").error, "It took too long.");
  EXPECT_EQ(state_of("warned").error, "It was told to end.");
  EXPECT_EQ(state_of("lost").error, "Its process died.");
  EXPECT_EQ(state_of("back").status, TaskStatus::PENDING);
  EXPECT_EQ(state_of("runs").status, TaskStatus::STARTED);
  EXPECT_EQ(queue->list_dead_letters("", 10).size(), 4u);
  EXPECT_EQ(given_up().size(), 5u);
  EXPECT_EQ(lease_ids(10), std::vector<std::string>{"back"});
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
