// What a worker does with tasks that end by themselves, and at its start and stop.
#include "worker/test_worker.h"

namespace segments {

TEST_F(WorkerTest, a_task_runs_in_a_folder_of_its_own) {
  start();
  enqueue("ok", "a/../b");
  ASSERT_TRUE(becomes("a/../b", TaskStatus::SUCCESS));
  auto state = state_of("a/../b");
  EXPECT_EQ(state.result->text, R"({"files":1})");
  EXPECT_EQ(state.worker, "worker@test");
  EXPECT_TRUE(work_dir_is_empty());
  EXPECT_TRUE(comes_true([&] { return queue->health().newest_worker_heartbeat > 0; }));
  EXPECT_TRUE(all_given_up().empty());
}

TEST_F(WorkerTest, a_failure_is_final_and_told) {
  start();
  enqueue("fail", "bad");
  ASSERT_TRUE(becomes("bad", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("bad").error, "The file is not a video.");
  EXPECT_EQ(state_of("bad").retries, 0);
  ASSERT_TRUE(is_given_up("bad"));
  EXPECT_EQ(all_given_up()[0].error, "The file is not a video.");
  EXPECT_FALSE(all_given_up()[0].revoked);
  EXPECT_EQ(queue->list_dead_letters("", 10).size(), 1u);
  stop();
  EXPECT_TRUE(queue->lease_given_up(10, 1000).empty()) << "it is settled";
}

TEST_F(WorkerTest, a_retry_runs_again_until_it_is_good) {
  start();
  enqueue("flaky", "f");
  ASSERT_TRUE(becomes("f", TaskStatus::SUCCESS));
  EXPECT_EQ(state_of("f").result->text, "2");
}

TEST_F(WorkerTest, retries_run_out) {
  start();
  enqueue("retry", "r", 2);
  enqueue("throw", "t", 0);
  ASSERT_TRUE(becomes("r", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("r").retries, 2);
  EXPECT_EQ(state_of("r").error, "Nobody answered.");
  EXPECT_TRUE(is_given_up("r"));
  ASSERT_TRUE(becomes("t", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("t").error, "The task ended unexpectedly.") << "internals are not shown";
}

TEST_F(WorkerTest, a_stop_lets_running_tasks_finish) {
  options.slots = 1;
  start();
  enqueue("wait-for-file", "running");
  ASSERT_TRUE(comes_true([&] { return fs::exists(trace() + ".begun"); }));
  enqueue("ok", "waiting");
  stopping = steady_ms();
  put_file(trace(), "");
  stop();
  EXPECT_EQ(state_of("running").status, TaskStatus::SUCCESS);
  EXPECT_EQ(state_of("waiting").status, TaskStatus::PENDING);
  EXPECT_TRUE(work_dir_is_empty());
}

TEST_F(WorkerTest, what_does_not_finish_in_time_is_handed_back) {
  options.drain_seconds = 0;
  start();
  enqueue("hang", "long");
  auto pids = hanging();
  stop();
  EXPECT_FALSE(pids.one_alive());
  EXPECT_EQ(state_of("long").status, TaskStatus::PENDING);
  EXPECT_EQ(state_of("long").retries, 0);
  EXPECT_EQ(queue->lease_tasks("other", 1, 1000).size(), 1u) << "ready at once";
  EXPECT_TRUE(work_dir_is_empty());
}

TEST_F(WorkerTest, a_slot_that_cannot_start_costs_no_task_anything) {
  options.slot_command = {"/nonexistent/program"};
  start();
  enqueue("ok", "a");
  EXPECT_TRUE(comes_true([&] { return queue->health().newest_worker_heartbeat > 0; }));
  auto first = queue->health().newest_worker_heartbeat;
  EXPECT_TRUE(comes_true([&] { return queue->health().newest_worker_heartbeat > first; }));
  stop();
  EXPECT_EQ(state_of("a").status, TaskStatus::PENDING);
  EXPECT_FALSE(state_of("a").started_at);
}

}  // namespace segments
