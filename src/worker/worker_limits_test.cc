// Soft time limits, and what an observer is told of every ending.
#include <signal.h>

#include "worker/test_worker.h"

namespace segments {

TEST_F(WorkerTest, at_its_soft_time_limit_a_run_is_asked_to_end) {
  options.observer = &diary;
  start();
  auto limited = task("hang", "h", trace());
  limited.soft_time_limit_s = 3;
  queue->enqueue(limited);
  auto pids = hanging();
  ASSERT_TRUE(becomes("h", TaskStatus::FAILURE));
  EXPECT_FALSE(pids.one_alive());
  EXPECT_EQ(state_of("h").error, "The task ran longer than its soft limit of 3 s.");
  EXPECT_EQ(state_of("h").retries, 0);
  EXPECT_TRUE(is_given_up("h"));
  stop();
  EXPECT_EQ(diary.end_of("h").ending, RunEnding::soft_time_limit);
  EXPECT_EQ(diary.end_of("h").error, state_of("h").error);
  EXPECT_GE(diary.end_of("h").runtime_s, 3);
}

TEST_F(WorkerTest, who_does_not_end_when_asked_is_killed_at_the_hard_limit) {
  start();
  auto limited = task("stubborn", "s", trace());
  limited.soft_time_limit_s = 3;
  limited.time_limit_s = 5;
  queue->enqueue(limited);
  auto pids = hanging();
  ASSERT_TRUE(becomes("s", TaskStatus::FAILURE));
  EXPECT_FALSE(pids.one_alive());
  EXPECT_EQ(state_of("s").error, "The task ran longer than its soft limit of 3 s.") << "that came first";
}

TEST_F(WorkerTest, an_observer_is_told_of_every_ending_once) {
  options.observer = &diary;
  options.slots = 1;
  start();
  enqueue("ok", "good");
  enqueue("fail", "bad");
  enqueue("retry", "tired", 1);
  enqueue("abort", "lost", 1);
  for (std::string id : {"good"}) ASSERT_TRUE(becomes(id, TaskStatus::SUCCESS));
  for (std::string id : {"bad", "tired", "lost"}) ASSERT_TRUE(becomes(id, TaskStatus::FAILURE)) << id;
  enqueue("hang", "revoked");
  hanging();
  queue->revoke("revoked");
  ASSERT_TRUE(is_given_up("revoked"));
  fs::remove(trace());
  options.drain_seconds = 0;
  stop();
  EXPECT_EQ(diary.count("started good"), 1);
  EXPECT_EQ(diary.count("ended good success"), 1);
  EXPECT_EQ(diary.end_of("good").result, R"({"files":1})");
  EXPECT_TRUE(diary.end_of("good").recorded);
  EXPECT_EQ(diary.count("ended bad failure"), 1);
  EXPECT_EQ(diary.end_of("bad").error, "The file is not a video.");
  EXPECT_EQ(diary.count("started tired"), 2);
  EXPECT_EQ(diary.count("ended tired retry"), 1);
  EXPECT_EQ(diary.count("ended tired failure"), 1);
  EXPECT_EQ(diary.count("ended lost retry"), 1);
  EXPECT_EQ(diary.count("ended lost worker_lost"), 1);
  EXPECT_EQ(diary.count("ended revoked revoked"), 1);
  EXPECT_EQ(diary.lines().size(), 2u + 2 + 4 + 4 + 2);
}

TEST_F(WorkerTest, an_observer_is_told_of_what_a_stop_cut_off) {
  options.observer = &diary;
  options.drain_seconds = 0;
  start();
  enqueue("hang", "long");
  hanging();
  stop();
  EXPECT_EQ(diary.lines(), (std::vector<std::string>{"started long", "ended long handed_back"}));
}

}  // namespace segments
