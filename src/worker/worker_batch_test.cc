// Short tasks, of which a slot is sent many at once: nothing waits long, nothing is lost, nothing costs a
// retry that did not fail.
#include <signal.h>

#include <set>

#include "worker/test_worker.h"

namespace segments {

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Counts how much is asked at a time.
class CountingQueue : public EmbeddedQueue {
 public:
  using EmbeddedQueue::EmbeddedQueue;
  std::vector<LeasedTask> lease_tasks(std::string_view worker, int most, int lease_ms) override {
    auto tasks = EmbeddedQueue::lease_tasks(worker, most, lease_ms);
    most_leased = std::max<int>(most_leased, static_cast<int>(tasks.size()));
    return tasks;
  }
  std::vector<bool> end_leases(std::span<const LeaseEnd> ends) override {
    most_ended = std::max<int>(most_ended, static_cast<int>(ends.size()));
    return EmbeddedQueue::end_leases(ends);
  }
  std::atomic<int> most_leased = 0, most_ended = 0;
};

}  // namespace

TEST_F(WorkerTest, short_tasks_are_leased_and_ended_many_at_a_time_and_run_once_each) {
  auto counting = std::make_unique<CountingQueue>(folder / "other.db");
  auto& counts = *counting;
  queue = std::move(counting);
  options.observer = &diary;
  constexpr int count = 2000;
  std::vector<NewTask> tasks;
  for (int i = 0; i < count; ++i) tasks.push_back(task("moody", "t" + std::to_string(i), folder / "lines"));
  queue->enqueue_all(tasks);
  start();
  for (const auto& one : tasks) ASSERT_TRUE(becomes(one.id, TaskStatus::SUCCESS)) << one.id;
  stop();
  EXPECT_GT(counts.most_leased, 10);
  EXPECT_GT(counts.most_ended, 10);
  auto lines = lines_of(folder / "lines");
  EXPECT_EQ(lines.size(), std::size_t{count});
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), std::size_t{count});
  auto told = diary.lines();
  std::multiset<std::string> all(told.begin(), told.end());
  for (const auto& one : tasks) {
    EXPECT_EQ(all.count("started " + one.id), 1u) << one.id;
    EXPECT_EQ(all.count("ended " + one.id + " success"), 1u) << one.id;
  }
}

TEST_F(WorkerTest, tasks_that_are_not_known_to_be_short_never_wait_behind_each_other) {
  options.slots = 1;
  start();
  queue->enqueue_all(std::vector<NewTask>{task("wait-for-file", "first", trace()), task("ok", "second")});
  ASSERT_TRUE(comes_true([&] { return fs::exists(trace() + ".begun"); }));
  EXPECT_EQ(queue->lease_tasks("other", 10, 60'000).size(), 1u) << "another worker can have it";
  put_file(trace(), "");
  EXPECT_TRUE(becomes("first", TaskStatus::SUCCESS));
}

TEST_F(WorkerTest, nothing_waits_behind_a_run_that_takes_long_after_all) {
  start();
  make_known("moody");
  std::string path = folder / "wait", lines = folder / "lines";
  std::vector<NewTask> tasks{task("moody", "long", path)};
  for (int i = 0; i < 30; ++i) tasks.push_back(task("moody", "t" + std::to_string(i), lines));
  queue->enqueue_all(tasks);
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(becomes("t" + std::to_string(i), TaskStatus::SUCCESS));
  EXPECT_EQ(state_of("long").status, TaskStatus::STARTED);
  put_file(path, "");
  EXPECT_TRUE(becomes("long", TaskStatus::SUCCESS));
  EXPECT_EQ(lines_of(lines).size(), 30u) << "what was taken back ran once all the same";
}

TEST_F(WorkerTest, without_another_slot_the_waiting_go_back_to_the_queue) {
  options.slots = 1;
  options.observer = &diary;
  start();
  make_known("moody");
  std::string path = folder / "wait", lines = folder / "lines";
  std::vector<NewTask> tasks{task("moody", "long", path)};
  for (int i = 0; i < 30; ++i) {
    tasks.push_back(task("moody", "t" + std::to_string(i), lines));
    tasks.back().max_retries = 0;
  }
  queue->enqueue_all(tasks);
  ASSERT_TRUE(comes_true([&] { return fs::exists(path + ".begun"); }));
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(becomes("t" + std::to_string(i), TaskStatus::PENDING));
  put_file(path, "");
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(becomes("t" + std::to_string(i), TaskStatus::SUCCESS));
  EXPECT_EQ(lines_of(lines).size(), 30u);
}

TEST_F(WorkerTest, a_crash_costs_only_the_run_that_crashed) {
  options.slots = 1;
  start();
  make_known("moody");
  std::vector<NewTask> tasks;
  for (int i = 0; i < 60; ++i) {
    bool is_bad = i % 20 == 10;
    tasks.push_back(task("moody", "t" + std::to_string(i), folder / (is_bad ? "abort" : "lines")));
    tasks.back().max_retries = 0;
  }
  queue->enqueue_all(tasks);
  for (int i = 0; i < 60; ++i)
    EXPECT_TRUE(becomes("t" + std::to_string(i), i % 20 == 10 ? TaskStatus::FAILURE : TaskStatus::SUCCESS))
        << i;
  EXPECT_EQ(lines_of(folder / "lines").size(), 57u);
}

TEST_F(WorkerTest, a_killed_slot_hands_back_what_waits_in_it_at_no_cost) {
  options.slots = 1;
  start();
  make_known("moody");
  auto slots = slots_of_this_process();
  ASSERT_EQ(slots.size(), 1u);
  std::vector<NewTask> tasks;
  for (int i = 0; i < 60; ++i) {
    tasks.push_back(task("moody", "t" + std::to_string(i)));
    tasks.back().max_retries = 1;  // of the one that it did
  }
  // Stopped, it begins nothing; killed, it never did.
  kill(slots[0], SIGSTOP);
  queue->enqueue_all(tasks);
  ASSERT_TRUE(becomes("t0", TaskStatus::STARTED));
  kill(slots[0], SIGKILL);
  int retries = 0;
  for (const auto& one : tasks) {
    ASSERT_TRUE(becomes(one.id, TaskStatus::SUCCESS)) << one.id;
    retries += state_of(one.id).retries;
  }
  EXPECT_EQ(retries, 0);
}

TEST_F(WorkerTest, revoking_one_that_waits_in_a_slot_leaves_the_others_alone) {
  options.slots = 1;
  start();
  make_known("moody");
  auto slots = slots_of_this_process();
  ASSERT_EQ(slots.size(), 1u);
  kill(slots[0], SIGSTOP);
  std::vector<NewTask> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(task("moody", "t" + std::to_string(i), folder / "lines"));
  queue->enqueue_all(tasks);
  ASSERT_TRUE(becomes("t0", TaskStatus::STARTED));
  queue->revoke("t0");
  ASSERT_TRUE(is_given_up("t0"));
  EXPECT_TRUE(is_alive(slots[0])) << "it had not begun it";
  kill(slots[0], SIGCONT);
  for (int i = 1; i < 20; ++i) EXPECT_TRUE(becomes("t" + std::to_string(i), TaskStatus::SUCCESS));
  auto lines = lines_of(folder / "lines");
  EXPECT_EQ(lines.size(), 19u);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "t0"), 0);
  EXPECT_EQ(slots_of_this_process(), slots);
}

TEST_F(WorkerTest, a_slot_that_dies_before_it_begins_costs_nothing_at_first) {
  options.slots = 1;
  options.slot_command = {"/proc/self/exe", "shy", folder / "died"};
  start();
  auto once = task("ok", "a");
  once.max_retries = 0;
  queue->enqueue(once);
  EXPECT_TRUE(becomes("a", TaskStatus::SUCCESS));
  EXPECT_TRUE(fs::exists(folder / "died2"));
}

TEST_F(WorkerTest, an_order_that_every_slot_dies_of_is_given_up) {
  options.slots = 1;
  options.slot_command = command("shy");
  options.observer = &diary;
  start();
  auto once = task("ok", "a");
  once.max_retries = 0;
  queue->enqueue(once);
  ASSERT_TRUE(becomes("a", TaskStatus::FAILURE));
  stop();
  EXPECT_EQ(state_of("a").error, "The worker process running it died.");
  EXPECT_EQ(diary.end_of("a").ending, RunEnding::worker_lost);
  EXPECT_EQ(diary.count("ended a handed_back"), 2);
}

}  // namespace segments
