// For tests: a worker on a queue of its own, whose slots are the test program itself in another role
// (test_roles_test.cc).
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "embedded_queue/embedded_queue.h"
#include "worker/worker.h"

namespace segments {

namespace fs = std::filesystem;

struct TestArguments {
  std::string path;  // where the run leaves its trace
};
BOOST_DESCRIBE_STRUCT(TestArguments, (), (path))

inline void put_file(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  fs::rename(path + ".new", path);
}

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
  auto until = steady_ms() + 60'000;
  while (!condition()) {
    if (steady_ms() > until) return testing::AssertionFailure() << "it never came true";
    usleep(2000);
  }
  return testing::AssertionSuccess();
}

inline std::string stat_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  auto stat = text.str();
  return stat.empty() ? stat : stat.substr(stat.rfind(')') + 2);  // "S ppid pgrp ..."
}
inline bool is_alive(pid_t pid) {
  auto stat = stat_of(pid);
  return !stat.empty() && stat[0] != 'Z' && stat[0] != 'X';
}

inline std::vector<pid_t> slots_of_this_process() {
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

// What an observer was told, in order: "started a", "ended a success". Read when the worker has stopped, or
// by told().
class Diary : public RunObserver {
 public:
  void run_started(const LeasedTask& task, pid_t slot, Millis begun_at) override {
    EXPECT_GT(slot, 0);
    EXPECT_GT(begun_at, 0);
    std::lock_guard lock(mutex_);
    lines_.push_back("started " + task.id);
  }
  void run_ended(const LeasedTask& task, const RunEnd& end) override {
    std::lock_guard lock(mutex_);
    lines_.push_back("ended " + task.id + " " + name_of(end.ending));
    ends_[task.id] = end;
  }
  std::vector<std::string> lines() {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  int count(const std::string& line) {
    auto all = lines();
    return static_cast<int>(std::count(all.begin(), all.end(), line));
  }
  RunEnd end_of(const std::string& id) {
    std::lock_guard lock(mutex_);
    return ends_[id];
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::map<std::string, RunEnd> ends_;
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
  NewTask task(const std::string& name, const std::string& id, const std::string& path = "") {
    return {.id = id, .name = name, .arguments = encode(TestArguments{path})};
  }
  // So that a task's runs are known to be short, and many are sent to a slot at once.
  void make_known(const std::string& name) {
    std::vector<NewTask> tasks;
    for (int i = 0; i < 40; ++i) tasks.push_back(task(name, "known-" + name + std::to_string(i)));
    queue->enqueue_all(tasks);
    for (const auto& one : tasks) ASSERT_TRUE(becomes(one.id, TaskStatus::SUCCESS)) << one.id;
  }
  std::string trace() const { return folder / "trace"; }
  void start() {
    stopping = 0;
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
    if (!stopping) stopping = steady_ms();
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
  WorkerControls controls{2};
  Diary diary;
  std::atomic<Millis> stopping = 0;  // since when
  std::thread thread;
  std::mutex mutex;
  std::vector<GivenUpTask> given_up;
  int give_up_faults = 0;
};

}  // namespace segments
