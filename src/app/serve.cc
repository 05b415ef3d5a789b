#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stop_token>
#include <thread>

#include "api/routes.h"
#include "api/token.h"
#include "app/child_probe.h"
#include "app/commands.h"
#include "app/engines.h"
#include "app/open_files.h"
#include "app/worker_process.h"
#include "base/log.h"
#include "http/server.h"
#include "tasks/periodic.h"

namespace segments {
namespace {

constexpr Millis link_token_ms = 30LL * 24 * 3'600 * 1'000;
constexpr int worker_stop_seconds = 30;

// Blocked before the first thread is made, so that the main thread alone takes them.
sigset_t block_signals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

// What nobody waits for: unfinished uploads, and where this server has no worker that does it, everything
// else that is swept.
class Sweeper {
 public:
  Sweeper(Engines& engines, bool has_worker)
      : thread_([this, &engines, has_worker](std::stop_token stop) { run(engines, has_worker, stop); }) {}

 private:
  void run(Engines& engines, bool has_worker, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    auto pause = std::chrono::seconds(2);  // not while the first requests are answered
    while (!wake_.wait_for(lock, stop, pause, [&stop] { return stop.stop_requested(); })) {
      pause = std::chrono::seconds(60);
      try {
        if (auto* directory = engines.directory()) directory->sweep(now_ms());
        if (!has_worker) sweep(engines.services(), now_ms());
      } catch (const std::exception& error) {
        // The next round does what this one could not.
        log_warning("sweep.failed", {{"error", error.what()}});
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

ServerOptions server_options(const Config& config) {
  ServerOptions options;
  options.host = config.host;
  options.port = config.port;
  options.io_threads = config.io_threads;
  options.max_connections = std::min(options.max_connections, connections_below(raise_open_files()));
  return options;
}

// A link that works in a browser on this machine; its token goes after the #, which browsers send to nobody.
// Only a person at a terminal is given one: journals and container logs are read by others, and kept.
void print_link(const Config& config, const ServiceSettings& settings, int port) {
  std::string host = config.host == "0.0.0.0" || config.host == "::" ? "127.0.0.1" : config.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  std::string origin =
      config.public_url.empty() ? "http://" + host + ":" + std::to_string(port) : config.public_url;
  std::string link = origin + "/docs";
  const bool has_token = config.auth == AuthMode::token && isatty(STDOUT_FILENO) == 1;
  if (has_token)
    link += "#token=" + mint_token(settings.auth_secret, "owner", now_ms() + link_token_ms, now_ms());
  std::printf("Segments is ready: %s\n", link.c_str());
  if (has_token)
    std::printf(
        "The link's token is the user \"owner\"'s for 30 days; `segments token --user NAME` makes others.\n");
  std::fflush(stdout);
}

// Somebody who asks twice does not want to wait.
void end_at_next_signal(sigset_t signals, pid_t worker) {
  sigdelset(&signals, SIGCHLD);
  std::thread([signals, worker] {
    int number = 0;
    sigwait(&signals, &number);
    if (worker > 0) kill(worker, SIGKILL);
    _exit(128 + number);
  }).detach();
}

// Returns when a stop is asked for.
void supervise(WorkerProcess& worker, const sigset_t& signals) {
  while (true) {
    worker.keep_running();
    timespec pause{0, 200'000'000};
    int number = sigtimedwait(&signals, nullptr, &pause);
    if (number == SIGTERM || number == SIGINT) return;
  }
}

}  // namespace

int serve(const Config& config) {
  sigset_t signals = block_signals();
  // Who waits for an answer over HTTP is told soon that there is none.
  constexpr redis::Timeouts hasty{.connect_ms = 2'000, .answer_ms = 2'000};
  Engines engines(config, make_child_probe(config), {.redis = hasty, .relays_events = true});
  Services& services = engines.services();
  auto router = make_router(services);
  Server server(*router, server_options(config), &services.metrics);
  server.start();
  log_info("server.started", {{"host", config.host}, {"port", server.port()}, {"pid", getpid()}});
  print_link(config, services.settings, server.port());

  // The workers of one machine do its periodic work. Among Celery's nodes each server's worker has a name.
  std::vector<std::string> worker_flags{"--beat"};
  if (config.queue == QueueEngine::redis)
    worker_flags.push_back("--hostname=serve-" + std::to_string(server.port()) + "@%h");
  WorkerProcess worker(config.workers > 0, std::move(worker_flags));
  {
    Sweeper sweeper(engines, config.workers > 0);
    supervise(worker, signals);
  }
  log_info("server.stopping");
  worker.request_stop();
  end_at_next_signal(signals, worker.pid());
  server.stop();
  worker.wait(worker_stop_seconds);
  log_info("server.stopped");
  return 0;
}

}  // namespace segments
