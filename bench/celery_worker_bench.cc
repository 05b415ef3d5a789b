// A worker on Celery's Redis as `segments worker` wires it, whose one task does nothing:
// bench.nothing(number) gives its number back, so that results can be checked. Driven by measure_celery.py.
//   celery_worker_bench URL SLOTS WORK_DIR [-E]
#include <malloc.h>
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/log.h"
#include "celery/arguments.h"
#include "celery_control/node.h"
#include "worker/worker.h"

namespace segments::celery {
namespace {

const TaskSignature nothing{"bench.nothing", {{"number"}}};

std::atomic<Millis> stop_asked_at{0};

void on_stop_signal(int) {
  stop_asked_at = steady_ms();
}

std::variant<std::string, PythonException> bind_task(const TaskMessage& message) {
  if (message.task != nothing.task) return not_registered(message.task);
  return bind_arguments(nothing, message.args, message.kwargs);
}

TaskOutcome run_nothing(const LeasedTask& task, const std::string&) {
  return {.result = read_json(task.arguments)->at("number").text()};
}

int work(const std::string& url, int slots, const std::string& work_dir, bool sends_events) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, on_stop_signal);
  WorkerControls controls(slots);
  NodeHooks hooks("celery@bench");
  CeleryQueueOptions queue_options;
  hooks.attach(queue_options);
  queue_options.bind = bind_task;
  redis::Client client(redis::parse_url(url));
  CeleryQueue queue(client, std::move(queue_options));
  NodeOptions node_options;
  node_options.task_events = sends_events;
  node_options.tasks = {{nothing.task.c_str(), 3, 60}};
  Node node(redis::parse_url(url), queue, controls, hooks, std::move(node_options));
  node.wait_for_peers();
  WorkerOptions options{.name = hooks.node,
                        .slot_command = {"/proc/self/exe", "slot"},
                        .work_dir = work_dir,
                        .controls = &controls,
                        .observer = &hooks.events};
  run_worker(queue, options, stop_asked_at, [](const LeasedTask&, const std::string&, bool) {});
  return 0;
}

}  // namespace
}  // namespace segments::celery

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, 1);
  segments::set_log_level(segments::LogLevel::warning);
  if (argc > 1 && !std::strcmp(argv[1], "slot")) return segments::run_slot(3, segments::celery::run_nothing);
  if (argc < 4) return 2;
  bool sends_events = argc > 4 && !std::strcmp(argv[4], "-E");
  return segments::celery::work(argv[1], std::atoi(argv[2]), argv[3], sends_events);
}
