#include "worker/worker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "describe/decode.h"
#include "embedded_queue/embedded_queue.h"
#include "worker/message.h"
#include "worker/run_folder.h"

extern char** environ;

namespace segments {

namespace fs = std::filesystem;

namespace {

// --- The slot of these tests: this program in another role (main() below). ---

struct TestArguments {
  std::string path;  // where the run leaves its trace
};
BOOST_DESCRIBE_STRUCT(TestArguments, (), (path))

void put_file(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  fs::rename(path + ".new", path);
}

void append_line(const std::string& path, const std::string& line) {
  std::string text = line + "\n";
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(9);
  close(file);
}

// Starts a program as an encoder would be started, says who is who, and never ends.
[[noreturn]] void hang(const std::string& path) {
  pid_t child = -1;
  const char* words[] = {"sleep", "1000", nullptr};
  if (posix_spawn(&child, "/bin/sleep", nullptr, nullptr, const_cast<char**>(words), environ)) _exit(9);
  put_file(path, std::to_string(getpid()) + " " + std::to_string(child));
  while (true) pause();
}

TaskOutcome run_test_task(const LeasedTask& task, const std::string& work_dir) {
  auto path = decode<TestArguments>(task.arguments).path;
  if (task.name == "ok") {
    std::ofstream(work_dir + "/piece.mp4") << "bytes";
    return {.result = R"({"files":)" + std::to_string(fs::exists(work_dir + "/piece.mp4")) + "}",
            .error = work_dir};
  }
  if (task.name == "fail") return {.ending = TaskEnding::failure, .error = "The file is not a video."};
  if (task.name == "retry") return {.ending = TaskEnding::retry, .error = "Nobody answered."};
  if (task.name == "flaky") {
    if (task.retries < 2) return {.ending = TaskEnding::retry, .error = "Nobody answered."};
    return {.result = std::to_string(task.retries)};
  }
  if (task.name == "throw") throw std::runtime_error("details");
  if (task.name == "abort") {
    signal(SIGABRT, SIG_DFL);
    abort();
  }
  if (task.name == "append") append_line(path, task.id);
  if (task.name == "stubborn") signal(SIGTERM, SIG_IGN);
  if (task.name == "hang" || task.name == "stubborn") hang(path);
  if (task.name == "hang-once") {
    if (!fs::exists(path)) hang(path);
    return {.result = R"("second")"};
  }
  if (task.name == "wait-for-file") {
    put_file(path + ".begun", "");
    while (!fs::exists(path)) usleep(2000);
  }
  return {};
}

// A slot whose memory was overwritten: ready, and then it says what no slot says.
int talk_nonsense() {
  send_message(3, encode(RunReport{}));
  MessageReader reader(3);
  reader.read(true);
  send_message(3, R"({"outcome":{"ending":"maybe"}})");
  pause();
  return 0;
}

// --- What the tests use. ---

class Folder {
 public:
  Folder() {
    std::string pattern =
        (access("/dev/shm", W_OK) ? testing::TempDir() : "/dev/shm/") + "segments-worker-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Waits for what must come; what never comes is a failure.
template <class F>
testing::AssertionResult comes_true(F&& condition) {
  auto until = steady_ms() + 30'000;
  while (!condition()) {
    if (steady_ms() > until) return testing::AssertionFailure() << "it never came true";
    usleep(2000);
  }
  return testing::AssertionSuccess();
}

std::string stat_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  auto stat = text.str();
  return stat.empty() ? stat : stat.substr(stat.rfind(')') + 2);  // "S ppid pgrp ..."
}
bool is_alive(pid_t pid) {
  auto stat = stat_of(pid);
  return !stat.empty() && stat[0] != 'Z' && stat[0] != 'X';
}

std::vector<pid_t> slots_of_this_process() {
  std::vector<pid_t> slots;
  for (const auto& entry : fs::directory_iterator("/proc/self/task")) {
    std::ifstream children(entry.path() / "children");
    for (pid_t child; children >> child;) {
      std::istringstream stat(stat_of(child));
      std::string state;
      pid_t parent = 0, group = 0;
      stat >> state >> parent >> group;
      if (state != "Z" && group == child) slots.push_back(child);
    }
  }
  return slots;
}

struct Pids {
  pid_t slot = 0, grandchild = 0;
  bool one_alive() const { return is_alive(slot) || is_alive(grandchild); }
  bool both_alive() const { return is_alive(slot) && is_alive(grandchild); }
};

class WorkerTest : public testing::Test {
 protected:
  ~WorkerTest() override { stop(); }

  static std::vector<std::string> command(const std::string& role) { return {"/proc/self/exe", role}; }

  std::string enqueue(const std::string& name, const std::string& id, int max_retries = 3,
                      int time_limit_s = 600) {
    return queue->enqueue({.id = id,
                           .name = name,
                           .arguments = encode(TestArguments{trace()}),
                           .max_retries = max_retries,
                           .time_limit_s = time_limit_s});
  }
  std::string trace() const { return folder / "trace"; }
  void start() {
    stopping = false;
    thread = std::thread([this] {
      run_worker(*queue, options, stopping,
                 [this](const LeasedTask& task, const std::string& error, bool revoked) {
                   std::lock_guard lock(mutex);
                   if (give_up_faults > 0) {
                     --give_up_faults;
                     throw Error(ErrorKind::unavailable, "The store is not there.");
                   }
                   given_up.push_back({task, error, revoked});
                 });
    });
  }
  void stop() {
    stopping = true;
    if (thread.joinable()) thread.join();
  }
  TaskState state_of(const std::string& id) { return queue->find_task(id).value_or(TaskState{}); }
  testing::AssertionResult becomes(const std::string& id, TaskStatus status) {
    return comes_true([&] { return state_of(id).status == status; });
  }
  std::vector<GivenUpTask> all_given_up() {
    std::lock_guard lock(mutex);
    return given_up;
  }
  testing::AssertionResult is_given_up(const std::string& id) {
    return comes_true([&] {
      auto all = all_given_up();
      return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.task.id == id; });
    });
  }
  Pids hanging() {
    EXPECT_TRUE(comes_true([&] { return fs::exists(trace()); }));
    Pids pids;
    std::ifstream(trace()) >> pids.slot >> pids.grandchild;
    EXPECT_TRUE(pids.both_alive());
    return pids;
  }
  bool work_dir_is_empty() {
    std::error_code error;
    return fs::directory_iterator(options.work_dir, error) == fs::directory_iterator();
  }

  Folder folder;
  std::unique_ptr<EmbeddedQueue> queue = std::make_unique<EmbeddedQueue>(folder / "queue.db");
  WorkerOptions options{.name = "worker@test",
                        .slots = 2,
                        .slot_command = command("slot"),
                        .poll_ms = 10,
                        .retry_base_ms = 5,
                        .work_dir = folder / "work"};
  std::atomic<bool> stopping = false;
  std::thread thread;
  std::mutex mutex;
  std::vector<GivenUpTask> given_up;
  int give_up_faults = 0;
};

}  // namespace

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
  enqueue("hang", "h", 3, 1);
  auto pids = hanging();
  ASSERT_TRUE(becomes("h", TaskStatus::FAILURE));
  EXPECT_FALSE(pids.one_alive()) << "the end is told when it is one";
  EXPECT_EQ(state_of("h").retries, 0) << "it would only hang again";
  EXPECT_EQ(state_of("h").error, "The task ran longer than its 1 s.");
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

TEST_F(WorkerTest, a_stop_lets_running_tasks_finish) {
  options.slots = 1;
  start();
  enqueue("wait-for-file", "running");
  ASSERT_TRUE(comes_true([&] { return fs::exists(trace() + ".begun"); }));
  enqueue("ok", "waiting");
  stopping = true;
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

TEST_F(WorkerTest, a_run_whose_lease_was_lost_is_killed_and_says_nothing) {
  options.lease_ms = 600;
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

TEST_F(WorkerTest, a_slot_that_talks_nonsense_counts_as_crashed) {
  options.slot_command = command("nonsense");
  start();
  enqueue("ok", "a", 1);
  ASSERT_TRUE(becomes("a", TaskStatus::FAILURE));
  EXPECT_EQ(state_of("a").error, "The worker process running it died.");
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

TEST_F(WorkerTest, giving_up_is_tried_again_until_it_succeeds) {
  options.lease_ms = 200;
  give_up_faults = 2;
  start();
  enqueue("fail", "bad");
  ASSERT_TRUE(is_given_up("bad"));
  EXPECT_EQ(give_up_faults, 0);
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

TEST_F(WorkerTest, a_start_removes_folders_of_runs_that_are_over_only) {
  fs::path work = options.work_dir;
  enqueue("ok", "running");
  auto running = queue->lease_tasks("other", 1, 60'000).at(0);
  enqueue("ok", "done");
  auto done = queue->lease_tasks("other", 1, 60'000).at(0);
  LeasedTask unknown{.id = "unknown/..", .fence = 7}, long_id{.id = std::string(500, '/'), .fence = 9};
  for (const auto& task : {running, done, unknown, long_id}) {
    auto path = make_run_folder(work, task);
    EXPECT_EQ(path.parent_path(), work);
    std::ofstream(path / "piece") << "x";
  }
  queue->finish(done, "1");
  fs::create_directory(work / "not-ours");
  remove_old_run_folders(work, *queue);
  EXPECT_EQ(std::distance(fs::directory_iterator(work), {}), 3);
  EXPECT_TRUE(fs::exists(work / "not-ours"));
  EXPECT_TRUE(fs::exists(make_run_folder(work, running)));
  remove_old_run_folders(folder / "absent", *queue);
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

namespace {

int run_worker_role(const char* file, const char* work_dir) {
  EmbeddedQueue queue(file);
  WorkerOptions options{.name = "worker@doomed",
                        .slots = 2,
                        .slot_command = {"/proc/self/exe", "slot"},
                        .lease_ms = 1000,
                        .poll_ms = 10,
                        .work_dir = work_dir};
  std::atomic<bool> stop = false;
  run_worker(queue, options, stop, [](const LeasedTask&, const std::string&, bool) {});
  return 0;
}

}  // namespace

}  // namespace segments

// Slots and the worker that is killed are this program too.
int main(int argc, char** argv) {
  segments::set_log_level(segments::LogLevel::off);
  std::string role = argc > 1 ? argv[1] : "";
  if (role == "slot") return segments::run_slot(3, segments::run_test_task);
  if (role == "nonsense") return segments::talk_nonsense();
  if (role == "worker" && argc == 4) return segments::run_worker_role(argv[2], argv[3]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
