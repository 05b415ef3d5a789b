// Remote control: what another thread sees of a worker, and what it can make it do.
#include "worker/worker_controls.h"

#include <poll.h>
#include <signal.h>

#include "worker/test_worker.h"

namespace segments {

namespace {

bool is_readable(int descriptor) {
  pollfd one{descriptor, POLLIN, 0};
  return poll(&one, 1, 0) == 1;
}

class WorkerControlsTest : public WorkerTest {
 protected:
  WorkerControlsTest() {
    options.controls = &controls;
    options.observer = &diary;
  }
  std::vector<pid_t> pids() { return controls.snapshot().slot_pids; }
  bool has_slots(std::size_t count) {
    return pids().size() == count && slots_of_this_process().size() == count;
  }
};

}  // namespace

TEST(WorkerControls, requests_are_taken_once_and_wake) {
  WorkerControls controls(3);
  EXPECT_FALSE(is_readable(controls.wake_descriptor()));
  EXPECT_FALSE(controls.take_requests());
  EXPECT_EQ(controls.add_slots(2), 5);
  controls.terminate({"a", "b"}, SIGUSR1);
  controls.terminate({"c"}, 0);
  controls.set_time_limits("tasks.test", {.soft_s = 5});
  EXPECT_TRUE(is_readable(controls.wake_descriptor()));
  auto taken = controls.take_requests();
  ASSERT_TRUE(taken);
  EXPECT_FALSE(is_readable(controls.wake_descriptor()));
  EXPECT_EQ(taken->slots, 5);
  ASSERT_EQ(taken->terminations.size(), 2u);
  EXPECT_EQ(taken->terminations[0].task_ids, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(taken->terminations[0].signal, SIGUSR1);
  EXPECT_EQ(taken->terminations[1].signal, SIGTERM) << "0 is no signal";
  ASSERT_EQ(taken->time_limits.size(), 1u);
  EXPECT_EQ(taken->time_limits[0].second.soft_s, 5);
  EXPECT_FALSE(taken->time_limits[0].second.hard_s);
  EXPECT_EQ(taken->stop_asked_at, 0);
  EXPECT_FALSE(controls.take_requests());
  controls.stop();
  taken = controls.take_requests();
  ASSERT_TRUE(taken);
  EXPECT_GT(taken->stop_asked_at, 0);
  EXPECT_TRUE(taken->terminations.empty());
}

TEST(WorkerControls, the_number_of_slots_has_bounds) {
  WorkerControls controls(2);
  EXPECT_EQ(controls.add_slots(-5), 0);
  EXPECT_EQ(controls.add_slots(std::numeric_limits<int>::max()), most_slots);
  EXPECT_EQ(controls.add_slots(std::numeric_limits<int>::min()), 0);
  controls.set_slots(-1);
  EXPECT_EQ(controls.snapshot().slots, 0);
}

TEST(WorkerControls, what_is_shown_adds_up) {
  WorkerControls controls(2);
  WorkerSnapshot one;
  one.started = {{"a", 2}, {"b", 1}};
  one.slot_pids = {7};
  controls.show(one);
  one.started = {{"b", 3}};
  one.slot_pids = {8, 9};
  controls.show(one);
  auto seen = controls.snapshot();
  EXPECT_EQ(seen.started, (std::map<std::string, std::uint64_t>{{"a", 2}, {"b", 4}}));
  EXPECT_EQ(seen.slot_pids, (std::vector<pid_t>{8, 9}));
  EXPECT_EQ(seen.slots, 2);
}

TEST(WorkerControls, threads_may_ask_and_look_while_the_worker_shows) {
  WorkerControls controls(0);
  constexpr int rounds = 2000;
  std::atomic<int> terminated = 0;
  std::atomic<bool> done = false;
  std::thread worker([&] {
    while (true) {
      bool last = done;
      if (auto requests = controls.take_requests())
        for (const auto& one : requests->terminations) terminated += static_cast<int>(one.task_ids.size());
      WorkerSnapshot newest;
      newest.started = {{"a", 1}};
      newest.tasks.push_back({.task = std::make_shared<const LeasedTask>(LeasedTask{.id = "x"})});
      controls.show(std::move(newest));
      if (last) return;
    }
  });
  std::vector<std::thread> askers;
  for (int i = 0; i < 3; ++i)
    askers.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        controls.terminate({"x"});
        controls.add_slots(1);
        controls.add_slots(-1);
        for (const auto& held : controls.snapshot().tasks) EXPECT_EQ(held.task->id, "x");
      }
    });
  for (auto& asker : askers) asker.join();
  done = true;
  worker.join();
  EXPECT_EQ(terminated, 3 * rounds);
  EXPECT_EQ(controls.snapshot().slots, 0);
}

TEST_F(WorkerControlsTest, it_is_seen_what_runs_where_and_since_when) {
  start();
  auto before = now_ms();
  enqueue("ok", "one");
  ASSERT_TRUE(becomes("one", TaskStatus::SUCCESS));
  enqueue("hang", "h");
  auto hanging_pids = hanging();
  ASSERT_TRUE(comes_true([&] { return controls.snapshot().tasks.size() == 1; }));
  auto seen = controls.snapshot();
  EXPECT_EQ(seen.tasks[0].task->id, "h");
  EXPECT_EQ(seen.tasks[0].task->name, "hang");
  EXPECT_EQ(seen.tasks[0].slot, hanging_pids.slot);
  EXPECT_GE(seen.tasks[0].leased_at, before);
  EXPECT_GE(seen.tasks[0].begun_at, seen.tasks[0].leased_at);
  EXPECT_EQ(seen.started, (std::map<std::string, std::uint64_t>{{"ok", 1}, {"hang", 1}}));
  EXPECT_EQ(seen.slots, 2);
  EXPECT_EQ(std::count(seen.slot_pids.begin(), seen.slot_pids.end(), hanging_pids.slot), 1);
  EXPECT_FALSE(seen.stopping);
  options.drain_seconds = 0;
  queue->revoke("h");
  EXPECT_TRUE(comes_true([&] { return controls.snapshot().tasks.empty(); }));
}

TEST_F(WorkerControlsTest, what_waits_in_a_slot_is_seen_as_waiting) {
  controls.set_slots(1);
  start();
  make_known("moody");
  ASSERT_EQ(pids().size(), 1u);
  kill(pids()[0], SIGSTOP);
  std::vector<NewTask> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(task("moody", "t" + std::to_string(i)));
  queue->enqueue_all(tasks);
  ASSERT_TRUE(comes_true([&] { return controls.snapshot().tasks.size() > 1; }));
  auto seen = controls.snapshot();
  for (std::size_t i = 0; i < seen.tasks.size(); ++i) {
    EXPECT_EQ(seen.tasks[i].slot, pids()[0]);
    EXPECT_EQ(seen.tasks[i].begun_at > 0, i == 0) << i;
  }
  kill(pids()[0], SIGCONT);
  for (const auto& one : tasks) EXPECT_TRUE(becomes(one.id, TaskStatus::SUCCESS));
}

TEST_F(WorkerControlsTest, slots_grow_and_shrink) {
  start();
  ASSERT_TRUE(comes_true([&] { return has_slots(2); }));
  controls.set_slots(5);
  EXPECT_TRUE(comes_true([&] { return has_slots(5); }));
  controls.add_slots(-4);
  EXPECT_TRUE(comes_true([&] { return has_slots(1); }));
  enqueue("ok", "a");
  EXPECT_TRUE(becomes("a", TaskStatus::SUCCESS));
  controls.set_slots(0);
  EXPECT_TRUE(comes_true([&] { return has_slots(0); }));
  enqueue("ok", "b");
  controls.set_slots(1);
  EXPECT_TRUE(becomes("b", TaskStatus::SUCCESS));
}

TEST_F(WorkerControlsTest, a_busy_slot_goes_when_its_run_has_ended) {
  controls.set_slots(1);
  start();
  queue->enqueue(task("wait-for-file", "running", trace()));
  ASSERT_TRUE(comes_true([&] { return fs::exists(trace() + ".begun"); }));
  controls.set_slots(0);
  enqueue("ok", "waiting");
  put_file(trace(), "");
  EXPECT_TRUE(becomes("running", TaskStatus::SUCCESS));
  EXPECT_EQ(state_of("running").retries, 0);
  EXPECT_TRUE(comes_true([&] { return has_slots(0); }));
  EXPECT_EQ(state_of("waiting").status, TaskStatus::PENDING);
}

TEST_F(WorkerControlsTest, terminating_revokes_for_good) {
  int round = 0;
  start();
  for (std::string name : {"hang", "stubborn"}) {
    for (int signal : {SIGTERM, SIGKILL, SIGUSR1}) {
      std::string id = name + std::to_string(++round);
      enqueue(name, id);
      auto running = hanging();
      controls.terminate({"somebody-else's", id}, signal);
      ASSERT_TRUE(is_given_up(id)) << id;
      EXPECT_FALSE(running.one_alive()) << id;
      EXPECT_TRUE(all_given_up().back().revoked);
      EXPECT_EQ(state_of(id).status, TaskStatus::REVOKED) << "not handed back";
      EXPECT_TRUE(comes_true([&] { return diary.count("ended " + id + " terminated") == 1; }));
      EXPECT_EQ(diary.end_of(id).signal, signal);
      fs::remove(trace());
    }
  }
}

TEST_F(WorkerControlsTest, terminating_what_waits_in_a_slot_kills_nobody) {
  controls.set_slots(1);
  start();
  make_known("moody");
  auto slot = pids().at(0);
  kill(slot, SIGSTOP);
  std::vector<NewTask> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(task("moody", "t" + std::to_string(i), folder / "lines"));
  queue->enqueue_all(tasks);
  ASSERT_TRUE(comes_true([&] { return controls.snapshot().tasks.size() > 3; }));
  controls.terminate({"t0", "t2", "t1"});
  for (std::string id : {"t0", "t1", "t2"}) ASSERT_TRUE(is_given_up(id)) << id;
  kill(slot, SIGCONT);
  for (int i = 3; i < 20; ++i) EXPECT_TRUE(becomes("t" + std::to_string(i), TaskStatus::SUCCESS));
  EXPECT_EQ(pids(), std::vector<pid_t>{slot});
  std::ifstream file(folder / "lines");
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines)
    EXPECT_TRUE(line != "t0" && line != "t1" && line != "t2");
  EXPECT_EQ(lines, 17);
}

TEST_F(WorkerControlsTest, time_limits_of_a_name_replace_the_tasks_own) {
  controls.set_time_limits("hang", {.hard_s = 3});
  start();
  enqueue("hang", "hard", 0, 600);
  hanging();
  ASSERT_TRUE(becomes("hard", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("hard").error, "The task ran longer than its 3 s.");
  EXPECT_TRUE(comes_true([&] { return diary.end_of("hard").ending == RunEnding::time_limit; }));
  fs::remove(trace());
  controls.set_time_limits("hang", {.soft_s = 3, .hard_s = 0});
  enqueue("hang", "soft", 0, 600);
  hanging();
  ASSERT_TRUE(becomes("soft", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("soft").error, "The task ran longer than its soft limit of 3 s.");
}

TEST_F(WorkerControlsTest, it_can_be_stopped) {
  start();
  queue->enqueue(task("wait-for-file", "running", trace()));
  ASSERT_TRUE(comes_true([&] { return fs::exists(trace() + ".begun"); }));
  controls.stop();
  EXPECT_TRUE(comes_true([&] { return controls.snapshot().stopping; }));
  put_file(trace(), "");
  thread.join();
  EXPECT_EQ(state_of("running").status, TaskStatus::SUCCESS);
  EXPECT_TRUE(controls.snapshot().tasks.empty());
}

}  // namespace segments
