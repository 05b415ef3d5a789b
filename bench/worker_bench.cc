// Measures the worker alone: tasks that do nothing, out of a queue in memory, through real slot processes.
//   worker_bench [tasks] [slots] [log: off|info]
// The log goes to a file in the temporary folder. The queue's own share is in the supervisor's CPU, and is
// small.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "base/log.h"
#include "worker/worker.h"

namespace segments {
namespace {

// As many tasks as are asked for, all alike.
class CountingQueue : public TaskQueue {
 public:
  CountingQueue(int tasks, std::atomic<Millis>& done) : left_(tasks), open_(tasks), done_(done) {}

  std::vector<LeasedTask> lease_tasks(std::string_view, int most, int) override {
    ++leases_;
    std::vector<LeasedTask> tasks;
    for (; left_ > 0 && static_cast<int>(tasks.size()) < most; --left_)
      tasks.push_back({.id = "4f4b8f3e-0a5c-4c4d-9d9b-" + std::to_string(100'000'000'000 + left_),
                       .name = "tasks.nothing",
                       .arguments = R"({"x":1,"y":2})",
                       .user_id = "",
                       .fence = left_});
    return tasks;
  }
  std::vector<bool> end_leases(std::span<const LeaseEnd> ends) override {
    ++endings_;
    for (const auto& end : ends) {
      if (end.ending == LeaseEnding::hand_back)
        ++left_, ++handed_back_;
      else
        --open_;
    }
    if (open_ == 0) done_ = steady_ms();
    return std::vector<bool>(ends.size(), true);
  }
  int leases() const { return leases_; }
  int endings() const { return endings_; }
  int handed_back() const { return handed_back_; }

  std::string enqueue(const NewTask&) override { std::abort(); }
  void enqueue_all(std::span<const NewTask>) override { std::abort(); }
  std::optional<TaskState> find_task(std::string_view) override { return std::nullopt; }
  bool revoke(std::string_view) override { return false; }
  void beat(std::string_view) override {}
  bool renew(const LeasedTask&, int) override { return true; }
  bool put_task_progress(std::string_view, double, std::string_view) override { return false; }
  bool finish(const LeasedTask&, std::string_view) override { std::abort(); }
  bool retry(const LeasedTask&, std::string_view, Millis) override { std::abort(); }
  bool fail(const LeasedTask&, std::string_view) override { std::abort(); }
  bool hand_back(const LeasedTask&) override { std::abort(); }
  std::vector<std::string> revoked_tasks(const std::vector<std::string>&) override { return {}; }
  std::vector<GivenUpTask> lease_given_up(int, int) override { return {}; }
  bool settle_given_up(const LeasedTask&) override { return false; }
  std::vector<DeadLetter> list_dead_letters(std::string_view, std::size_t) override { return {}; }
  bool requeue_dead_letter(std::string_view) override { return false; }
  bool remove_dead_letter(std::string_view) override { return false; }
  QueueHealth health() override { return {}; }
  void sweep() override {}

 private:
  int left_, open_;
  int leases_ = 0, endings_ = 0, handed_back_ = 0;
  std::atomic<Millis>& done_;
};

// What the sender of events will do at least: look at what it is told.
class CountingObserver : public RunObserver {
 public:
  void run_started(const LeasedTask&, pid_t, Millis) override { ++started; }
  void run_ended(const LeasedTask&, const RunEnd&) override { ++ended; }
  int started = 0, ended = 0;
};

double cpu_s(int who) {
  rusage usage{};
  getrusage(who, &usage);
  auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int measure(int tasks, int slots) {
  auto work_dir = std::filesystem::temp_directory_path() / ("worker-bench-" + std::to_string(getpid()));
  std::atomic<Millis> done = 0;
  CountingQueue queue(tasks, done);
  CountingObserver observer;
  WorkerControls controls(slots);
  WorkerOptions options{.name = "worker@bench",
                        .slots = slots,
                        .slot_command = {"/proc/self/exe", "slot"},
                        .work_dir = work_dir,
                        .controls = &controls,
                        .observer = &observer};
  double own = cpu_s(RUSAGE_SELF);
  Millis begun = steady_ms();
  run_worker(queue, options, done, [](const LeasedTask&, const std::string&, bool) {});
  double seconds = static_cast<double>(steady_ms() - begun) / 1000;
  double supervisor_us = (cpu_s(RUSAGE_SELF) - own) * 1e6 / tasks;
  double slots_us = cpu_s(RUSAGE_CHILDREN) * 1e6 / tasks;
  std::printf(
      "%d tasks, %d slots: %.0f/s, CPU per task %.1f us (supervisor %.1f, slots %.1f); %.1f tasks a lease, "
      "%.1f an ending; started %d, ended %d, handed back %d\n",
      tasks, slots, tasks / seconds, supervisor_us + slots_us, supervisor_us, slots_us,
      1.0 * tasks / queue.leases(), 1.0 * tasks / queue.endings(), observer.started, observer.ended,
      queue.handed_back());
  return 0;
}

}  // namespace
}  // namespace segments

int main(int argc, char** argv) {
  if (argc > 1 && !std::strcmp(argv[1], "slot")) {
    segments::set_log_level(segments::LogLevel::off);
    return segments::run_slot(
        3, [](const segments::LeasedTask&, const std::string&) { return segments::TaskOutcome{}; });
  }
  bool is_logged = argc > 3 && !std::strcmp(argv[3], "info");
  segments::set_log_level(is_logged ? segments::LogLevel::info : segments::LogLevel::off);
  auto log = std::filesystem::temp_directory_path() / "worker-bench.log";
  segments::set_log_file(log.string());
  int result = segments::measure(argc > 1 ? std::atoi(argv[1]) : 200'000, argc > 2 ? std::atoi(argv[2]) : 2);
  std::filesystem::remove(log);
  return result;
}
