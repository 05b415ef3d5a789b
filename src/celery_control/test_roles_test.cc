// The worker's slots are the test program too: main() tells the roles apart.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "celery/json.h"
#include "celery_control/test_node.h"
#include "worker/worker.h"

namespace segments::celery {
namespace {

// Leaves a line of itself, and kills.
void kill_after_trace(pid_t victim, const std::string& path, int retries) {
  std::ofstream(path, std::ios::app) << retries << "\n";
  kill(victim, SIGKILL);
  while (true) pause();
}

TaskOutcome run_test_task(const LeasedTask& task, const std::string&) {
  auto arguments = *read_json(task.arguments);
  if (task.name == "tasks.add")
    return {.result = std::to_string(*arguments.at("x").integer() + arguments.at("y").integer().value_or(0))};
  if (task.name == "tasks.wait") {
    while (!std::filesystem::exists(arguments.text_of("path"))) usleep(2'000);
    return {.result = R"("waited")"};
  }
  if (task.name == "tasks.total") {
    std::int64_t sum = 0;
    for (const auto& item : arguments.at("items").items()) sum += item.integer().value_or(0);
    return {.result = std::to_string(sum)};
  }
  if (task.name == "tasks.kill_slot") kill_after_trace(getpid(), arguments.text_of("path"), task.retries);
  if (task.name == "tasks.kill_worker") kill_after_trace(getppid(), arguments.text_of("path"), task.retries);
  if (task.name == "tasks.tired") return {.ending = TaskEnding::retry, .error = "Nobody answered."};
  if (task.name == "tasks.flaky" && task.retries == 0)
    return {.ending = TaskEnding::retry, .error = "Nobody answered."};
  if (task.name == "tasks.fail") return {.ending = TaskEnding::failure, .error = "boom"};
  return {};
}

// A worker in a process of its own, whose clock is ahead by so much.
int run_doomed_worker(const std::string& url, Millis ahead_ms, const std::string& work_dir) {
  redis::Client client(redis::parse_url(url));
  CeleryQueueOptions queue_options;
  queue_options.bind = bind_test_task;
  queue_options.clock = [ahead_ms] { return now_ms() + ahead_ms; };
  CeleryQueue queue(client, queue_options);
  WorkerOptions options{.name = "worker@doomed",
                        .slots = 1,
                        .slot_command = {"/proc/self/exe", "slot"},
                        .lease_ms = 5'000,
                        .poll_ms = 10,
                        .work_dir = work_dir};
  std::atomic<Millis> stop = 0;
  run_worker(queue, options, stop, [](const LeasedTask&, const std::string&, bool) {});
  return 0;
}

}  // namespace
}  // namespace segments::celery

int main(int argc, char** argv) {
  segments::set_log_level(segments::LogLevel::off);
  if (argc > 1 && argv[1] == std::string("slot"))
    return segments::run_slot(3, segments::celery::run_test_task);
  if (argc == 5 && argv[1] == std::string("worker"))
    return segments::celery::run_doomed_worker(argv[2], std::atoll(argv[3]), argv[4]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
