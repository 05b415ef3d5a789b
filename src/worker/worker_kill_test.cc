// Whatever is killed, runs, slots or the worker: nothing is left of it, and no task is lost.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <random>
#include <set>

#include "worker/test_worker.h"

extern char** environ;

namespace segments {

TEST_F(WorkerTest, a_crash_costs_a_retry) {
  start();
  enqueue("abort", "c", 2);
  enqueue("ok", "fine");
  ASSERT_TRUE(becomes("c", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("c").retries, 2);
  EXPECT_EQ(state_of("c").error, "The worker process running it died.");
  EXPECT_TRUE(is_given_up("c"));
  EXPECT_TRUE(becomes("fine", TaskStatus::SUCCESS));
  EXPECT_TRUE(work_dir_is_empty());
}

TEST_F(WorkerTest, past_its_time_limit_a_run_is_killed_with_all_that_it_started) {
  start();
  enqueue("hang", "h", 3, 3);
  auto pids = hanging();
  ASSERT_TRUE(becomes("h", TaskStatus::FAILURE));
  EXPECT_FALSE(pids.one_alive()) << "the end is told when it is one";
  EXPECT_EQ(state_of("h").retries, 0) << "it would only hang again";
  EXPECT_EQ(state_of("h").error, "The task ran longer than its 3 s.");
  EXPECT_TRUE(is_given_up("h"));
  EXPECT_TRUE(work_dir_is_empty());
  enqueue("ok", "next");
  EXPECT_TRUE(becomes("next", TaskStatus::SUCCESS));
}

TEST_F(WorkerTest, revoking_kills_the_run_and_all_that_it_started) {
  for (std::string name : {"hang", "stubborn"}) {
    start();
    enqueue(name, name);
    auto pids = hanging();
    EXPECT_TRUE(queue->revoke(name));
    ASSERT_TRUE(is_given_up(name)) << name;
    EXPECT_FALSE(pids.one_alive()) << name << ": the owner is told when nothing runs any more";
    EXPECT_TRUE(all_given_up().back().revoked);
    EXPECT_EQ(state_of(name).status, TaskStatus::REVOKED);
    EXPECT_TRUE(work_dir_is_empty());
    stop();
    fs::remove(trace());
  }
}

TEST_F(WorkerTest, killed_itself_it_takes_everything_along_and_the_task_runs_again) {
  std::vector<std::string> words{"/proc/self/exe", "worker", folder / "queue.db", options.work_dir};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  enqueue("hang-once", "h");
  pid_t worker = -1;
  ASSERT_EQ(posix_spawn(&worker, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ), 0);
  auto pids = hanging();
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);
  EXPECT_TRUE(comes_true([&] { return !pids.one_alive(); }));
  EXPECT_EQ(state_of("h").status, TaskStatus::STARTED);
  EXPECT_FALSE(work_dir_is_empty());
  start();
  ASSERT_TRUE(becomes("h", TaskStatus::SUCCESS));
  EXPECT_EQ(state_of("h").result->text, R"("second")");
  EXPECT_EQ(state_of("h").retries, 0);
  stop();
  start();  // what the dead one left is removed at a start
  EXPECT_TRUE(comes_true([&] { return work_dir_is_empty(); }));
}

TEST_F(WorkerTest, a_killed_idle_slot_is_replaced) {
  options.slots = 1;
  start();
  auto path = trace();
  queue->enqueue({.id = "first", .name = "wait-for-file", .arguments = encode(TestArguments{path})});
  ASSERT_TRUE(comes_true([&] { return fs::exists(path + ".begun"); }));
  auto slots = slots_of_this_process();
  ASSERT_EQ(slots.size(), 1u);
  put_file(path, "");
  ASSERT_TRUE(becomes("first", TaskStatus::SUCCESS));
  kill(slots[0], SIGKILL);
  enqueue("ok", "second");
  EXPECT_TRUE(becomes("second", TaskStatus::SUCCESS));
}

TEST_F(WorkerTest, a_slot_that_talks_nonsense_counts_as_crashed) {
  options.slot_command = command("nonsense");
  start();
  enqueue("ok", "a", 1);
  ASSERT_TRUE(becomes("a", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("a").error, "The worker process running it died.");
}

TEST_F(WorkerTest, a_poison_task_of_dead_workers_is_given_up) {
  enqueue("ok", "poison");
  for (int i = 1; i <= 5; ++i) {
    EmbeddedQueue dead(folder / "queue.db", [i] { return now_ms() - 3'600'000 + i * 2000; });
    EXPECT_EQ(dead.lease_tasks("dead", 1, 1000).size(), 1u);
  }
  start();
  ASSERT_TRUE(is_given_up("poison"));
  EXPECT_EQ(all_given_up()[0].error, "The worker died 5 times while running it.");
  EXPECT_EQ(state_of("poison").status, TaskStatus::FAILURE);
}

TEST_F(WorkerTest, three_hundred_killed_slots_lose_no_task) {
  constexpr int tasks = 2000, kills = 300;
  std::vector<std::thread> producers;
  for (int part = 0; part < 8; ++part)
    producers.emplace_back([&, part] {
      for (int i = part; i < tasks; i += 8) enqueue("append", "t" + std::to_string(i), 50);
    });
  for (auto& producer : producers) producer.join();
  options.slots = 4;
  start();

  std::mt19937 random(5);
  auto finished = [&] {
    std::int64_t count = 0;
    for (const auto& entry : queue->health().counts)
      if (entry.status == TaskStatus::SUCCESS) count += entry.count;
    return count;
  };
  for (int killed = 0; killed < kills; ++killed) {
    ASSERT_TRUE(comes_true([&] { return finished() >= killed * (tasks - 200) / kills; }));
    std::vector<pid_t> slots;
    ASSERT_TRUE(comes_true([&] { return !(slots = slots_of_this_process()).empty(); }));
    kill(slots[std::uniform_int_distribution<std::size_t>(0, slots.size() - 1)(random)], SIGKILL);
  }
  ASSERT_TRUE(comes_true([&] { return finished() == tasks; })) << finished();
  std::set<std::string> effects;
  std::ifstream lines(trace());
  for (std::string line; std::getline(lines, line);) effects.insert(line);
  EXPECT_EQ(effects.size(), std::size_t{tasks});
  for (int i = 0; i < tasks; ++i) EXPECT_EQ(state_of("t" + std::to_string(i)).status, TaskStatus::SUCCESS);
  EXPECT_TRUE(all_given_up().empty());
  EXPECT_TRUE(work_dir_is_empty());
}

}  // namespace segments
