// The worker and a queue that fails, changes its mind or gives the task to another.
#include "worker/test_worker.h"

namespace segments {

TEST_F(WorkerTest, a_run_whose_lease_was_lost_is_killed_and_says_nothing) {
  options.lease_ms = 4'000;
  start();
  enqueue("hang", "h");
  auto pids = hanging();
  EmbeddedQueue hurried(folder / "queue.db", [] { return now_ms() + 3'600'000; });
  auto taken = hurried.lease_tasks("other", 1, 3'600'000);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_TRUE(comes_true([&] { return !pids.one_alive(); }));
  EXPECT_TRUE(comes_true([&] { return work_dir_is_empty(); }));
  EXPECT_EQ(state_of("h").status, TaskStatus::STARTED);
  EXPECT_EQ(state_of("h").worker, "other");
  EXPECT_TRUE(hurried.finish(taken[0], R"("other")"));
}

// A queue on a disk that is full at times.
class FaultyQueue : public EmbeddedQueue {
 public:
  using EmbeddedQueue::EmbeddedQueue;
  std::vector<LeasedTask> lease_tasks(std::string_view worker, int most, int lease_ms) override {
    fail_at_first(lease_faults);
    return EmbeddedQueue::lease_tasks(worker, most, lease_ms);
  }
  bool finish(const LeasedTask& task, std::string_view result) override {
    fail_at_first(finish_faults);
    return EmbeddedQueue::finish(task, result);
  }
  void beat(std::string_view worker) override {
    fail_at_first(beat_faults);
    EmbeddedQueue::beat(worker);
  }
  std::atomic<int> lease_faults = 1, finish_faults = 1, beat_faults = 1;

 private:
  static void fail_at_first(std::atomic<int>& faults) {
    if (faults > 0 && faults-- > 0) throw Error(ErrorKind::unavailable, "The disk is full.");
  }
};

TEST_F(WorkerTest, errors_of_the_queue_are_waited_out) {
  queue.reset();
  auto faulty = std::make_unique<FaultyQueue>(folder / "queue.db");
  auto& faults = *faulty;
  queue = std::move(faulty);
  start();
  enqueue("append", "a");
  ASSERT_TRUE(becomes("a", TaskStatus::SUCCESS));
  EXPECT_EQ(faults.lease_faults + faults.finish_faults + faults.beat_faults, 0);
  std::string line;
  std::ifstream trace_file(trace());
  EXPECT_TRUE(std::getline(trace_file, line) && line == "a");
  EXPECT_FALSE(std::getline(trace_file, line)) << "the outcome waited, the task did not run again";
}

// One that cannot take one outcome among the others: what else ended with it must not wait for it.
class PickyQueue : public EmbeddedQueue {
 public:
  using EmbeddedQueue::EmbeddedQueue;
  std::vector<bool> end_leases(std::span<const LeaseEnd> ends) override {
    for (const auto& end : ends)
      if (is_picky && end.task.id == "refused") {
        ++refused;
        throw Error(ErrorKind::unavailable, "The disk is full.");
      }
    return EmbeddedQueue::end_leases(ends);
  }
  std::atomic<bool> is_picky = true;
  std::atomic<int> refused = 0;
};

TEST_F(WorkerTest, an_outcome_that_the_queue_refuses_holds_up_no_other) {
  auto picky = std::make_unique<PickyQueue>(folder / "picky.db");
  auto& faults = *picky;
  queue = std::move(picky);
  options.observer = &diary;
  std::vector<NewTask> tasks{task("append", "refused", trace())};
  for (int i = 0; i < 20; ++i) tasks.push_back(task("append", "t" + std::to_string(i), trace()));
  queue->enqueue_all(tasks);
  start();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(becomes("t" + std::to_string(i), TaskStatus::SUCCESS)) << i;
  EXPECT_EQ(state_of("refused").status, TaskStatus::STARTED);
  EXPECT_GT(faults.refused, 1);
  faults.is_picky = false;
  ASSERT_TRUE(becomes("refused", TaskStatus::SUCCESS));
  stop();
  EXPECT_EQ(diary.count("started refused"), 1) << "the outcome waited, the task did not run again";
  EXPECT_EQ(diary.count("ended refused success"), 1);
}

// Somebody revokes each task between its last line and its report.
class RevokingQueue : public EmbeddedQueue {
 public:
  using EmbeddedQueue::EmbeddedQueue;
  bool finish(const LeasedTask& task, std::string_view result) override {
    revoke(task.id);
    return EmbeddedQueue::finish(task, result);
  }
  bool fail(const LeasedTask& task, std::string_view error) override {
    revoke(task.id);
    return EmbeddedQueue::fail(task, error);
  }
};

TEST_F(WorkerTest, an_outcome_that_loses_to_a_revoke_does_not_wait_for_its_lease) {
  queue = std::make_unique<RevokingQueue>(folder / "queue.db");
  options.lease_ms = 3'600'000;
  enqueue("ok", "good");
  enqueue("fail", "bad");
  start();
  for (std::string id : {"good", "bad"}) {
    ASSERT_TRUE(is_given_up(id)) << id;
    EXPECT_EQ(state_of(id).status, TaskStatus::REVOKED);
  }
  for (const auto& told : all_given_up()) EXPECT_TRUE(told.revoked) << told.task.id;
}

// Much that is not to be begun comes before the first task that is.
class CloggedQueue : public EmbeddedQueue {
 public:
  using EmbeddedQueue::EmbeddedQueue;
  std::vector<LeasedTask> lease_tasks(std::string_view worker, int most, int lease_ms) override {
    is_more_ = left_ > 0;
    if (is_more_) return --left_, std::vector<LeasedTask>{};
    return EmbeddedQueue::lease_tasks(worker, most, lease_ms);
  }
  bool is_more_waiting() const override { return is_more_; }

 private:
  int left_ = 50;
  bool is_more_ = false;
};

TEST_F(WorkerTest, a_queue_that_has_more_to_look_at_is_asked_again_at_once) {
  queue = std::make_unique<CloggedQueue>(folder / "queue.db");
  options.poll_ms = 3'600'000;
  enqueue("ok", "last");
  start();
  EXPECT_TRUE(becomes("last", TaskStatus::SUCCESS));
}

TEST_F(WorkerTest, giving_up_is_tried_again_until_it_succeeds) {
  options.lease_ms = 200;
  give_up_faults = 2;
  start();
  enqueue("fail", "bad");
  ASSERT_TRUE(is_given_up("bad"));
  EXPECT_EQ(give_up_faults, 0);
}

}  // namespace segments
