#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

#include "app/beat.h"
#include "app/commands.h"
#include "app/engines.h"
#include "app/env_file.h"
#include "app/self.h"
#include "app/version.h"
#include "celery_control/node.h"
#include "tasks/run_task.h"
#include "worker/worker.h"

namespace segments {
namespace {

constexpr int slot_descriptor = 3;
// What a slot takes besides a video: its databases, its threads, an object's piece.
constexpr int slot_reserve_mb = 256;

// What stops it kills it 30 s after it asked, if it is systemd or a container's service with their defaults.
constexpr unsigned longest_stop_seconds = 27;

std::atomic<Millis> stop_asked_at{0};
static_assert(std::atomic<Millis>::is_always_lock_free);

// The second signal ends the worker at once; its slots die with it, and their tasks are handed out again. So
// does the clock, where a disk or a database lets the stop take longer than its parts should.
void on_stop_signal(int number) {
  if (stop_asked_at.exchange(steady_ms())) _exit(128 + number);
  alarm(longest_stop_seconds);
}

std::string host_name() {
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  return host;
}

// As Celery makes it: "clips" is clips@<host>, and %h stands for the host. Not "celery" by itself, which is
// the name of a Python worker beside it: of two nodes with one name clients see one.
std::string node_name(const std::string& given) {
  std::string name = given.empty() ? "segments@%h" : given;
  if (name.find('@') == std::string::npos) name += "@%h";
  for (auto at = name.find("%h"); at != std::string::npos; at = name.find("%h"))
    name.replace(at, 2, host_name());
  return name;
}

celery::NodeOptions node_options(const Config& config, const WorkOptions& options, Metrics& metrics) {
  celery::NodeOptions node;
  node.task_events = options.task_events;
  node.version = version;
  node.metrics = &metrics;
  for_each_member<Config>([&](const char* name, auto member) {
    node.settings.emplace_back(key_of(name), setting_text(config.*member));
  });
  return node;
}

// A slot reads a stranger's file itself before an encoder with limits of its own does. The limit is one of
// data and not of addresses: allocators and libraries reserve those. What it starts inherits it and needs no
// more.
void limit_memory([[maybe_unused]] const Config& config) {
#ifndef SEGMENTS_SANITIZED  // sanitizers reserve terabytes of addresses
  rlimit both{};
  getrlimit(RLIMIT_DATA, &both);
  both.rlim_cur =
      std::min(both.rlim_max, static_cast<rlim_t>(config.media_memory_mb + slot_reserve_mb) << 20);
  setrlimit(RLIMIT_DATA, &both);
#endif
}

}  // namespace

int work(const Config& config, const WorkOptions& wanted) {
  signal(SIGPIPE, SIG_IGN);
  for (int number : {SIGTERM, SIGINT, SIGALRM}) {
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    sigaction(number, &action, nullptr);
  }
  WorkerControls controls(wanted.slots);
  std::optional<celery::NodeHooks> hooks;
  EngineOptions engine_options{.relays_events = true};
  if (config.queue == QueueEngine::redis) {
    hooks.emplace(node_name(wanted.hostname));
    hooks->attach(engine_options.celery);
    engine_options.celery.consumed = wanted.queues;
  }
  Engines engines(config, probe_media, std::move(engine_options));
  WorkerOptions options;
  options.name = hooks ? hooks->node : "worker@" + host_name() + "-" + std::to_string(getpid());
  options.slots = wanted.slots;
  options.controls = &controls;
  std::optional<celery::Node> node;
  if (hooks) {
    options.observer = &hooks->events;
    node.emplace(redis_url_of(config), *engines.celery(), controls, *hooks,
                 node_options(config, wanted, engines.services().metrics));
    node->wait_for_peers();
  }
  options.slot_command = {own_program(), "worker-slot"};
  options.work_dir = work_folder(config);
  auto beat = wanted.has_beat ? make_beat(config, engines) : nullptr;
  options.stopping = [&](Millis gone_at) {
    if (beat) beat->request_stop();
    if (auto* redis = engines.redis()) redis->end_by(gone_at);
  };
  run_worker(engines.services().queue, options, stop_asked_at,
             [&](const LeasedTask& task, const std::string& error, bool revoked) {
               give_up_task(task, engines.services(), error, revoked);
             });
  return 0;
}

int work_in_slot(const Config& config) {
  limit_memory(config);
  signal(SIGPIPE, SIG_IGN);
  // Opened by the first task: the slot forks its guard before, and a slot that waits costs little.
  std::unique_ptr<Engines> engines;
  return run_slot(slot_descriptor, [&](const LeasedTask& task, const std::string& work_dir) {
    if (!engines) engines = std::make_unique<Engines>(config, probe_media);
    return run_task(task, engines->services(), work_dir);
  });
}

}  // namespace segments
