#include "api/operations.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "api/docs_page.h"
#include "api/handlers.h"
#include "api/routes.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {

namespace {

// Bytes in memory, and bytes of address space, from /proc/self/statm.
std::pair<double, double> memory_of_process() {
  std::ifstream file("/proc/self/statm");
  double size = 0, resident = 0;
  file >> size >> resident;
  auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
  return {resident * page, size * page};
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error))
    ++count;
  return count;
}

// The totals' names are whole series: 'social_sync_total{platform="tiktok",outcome="ok"}'.
std::string print_totals(Totals& totals) {
  std::string text;
  std::set<std::string> announced;
  for (const auto& [series, value] : totals.list_totals()) {
    std::string name = "segments_" + series;
    std::string family = name.substr(0, name.find('{'));
    if (announced.insert(family).second)
      print_metric_head(text, family, "Counted by all processes together", "counter");
    text += name + " " + std::to_string(value) + "\n";
  }
  return text;
}

}  // namespace

void add_process_metrics(Services& services) {
  services.metrics.before_print([&services](Metrics& metrics) {
    QueueHealth health;
    try {
      health = services.queue.health();
    } catch (const Error& error) {
      // The other figures are worth most when something is broken.
      log_warning("metrics.queue_unknown", {{"detail", error.what()}});
    }
    for (const auto& count : health.counts)
      metrics
          .gauge("segments_queue_tasks", "Tasks by name and status",
                 {{"task", count.name}, {"status", name_of(count.status)}})
          .set(static_cast<double>(count.count));
    auto age = [](Millis at) { return at ? static_cast<double>(now_ms() - at) / 1'000 : 0; };
    metrics.gauge("segments_queue_dead_letters", "Tasks that were given up")
        .set(static_cast<double>(health.dead_letters));
    metrics.gauge("segments_queue_oldest_waiting_seconds", "How long the oldest task that could run waits")
        .set(age(health.oldest_waiting));
    metrics.gauge("segments_worker_heartbeat_age_seconds", "Since a worker was last heard of")
        .set(health.newest_worker_heartbeat ? age(health.newest_worker_heartbeat) : -1);
    auto [resident, size] = memory_of_process();
    metrics.gauge("process_resident_memory_bytes", "Memory of this process").set(resident);
    metrics.gauge("process_virtual_memory_bytes", "Address space of this process").set(size);
    metrics.gauge("process_open_fds", "Open file descriptors of this process").set(open_descriptors());
  });
}

Response get_health(const Request&, Services&) {
  Response response = answer(Health{});
  response.set("Cache-Control", "no-store");
  return response;
}

Response get_ready(const Request&, Api& api) {
  auto report = api.readiness.report();
  Response response = answer(report, report.status == "ready" ? 200 : 503);
  response.set("Cache-Control", "no-store");
  if (response.status == 503) response.set("Retry-After", "5");
  return response;
}

Response get_metrics(const Request&, Services& services) {
  Response response;
  response.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.set("Cache-Control", "no-store");
  response.body = services.metrics.print() + print_totals(services.totals);
  return response;
}

Response get_openapi(const Request&, Services&) {
  static const std::string document = make_openapi();
  Response response = json_response(document);
  response.set("Cache-Control", "no-cache");
  return response;
}

Response get_docs(const Request&, Services&) {
  // Only what bears this answer's nonce runs; the page talks to its own origin alone.
  std::string nonce = make_secret(16);
  Response response;
  response.set("Content-Type", "text/html; charset=utf-8");
  response.set("Cache-Control", "no-store");
  response.set("Content-Security-Policy",
               "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
                   "'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.set("Referrer-Policy", "no-referrer");
  response.body = make_docs_page(nonce);
  return response;
}

Response get_task(const Request& request, Services& services) {
  std::string id(path_id(request, "task_id", "task"));
  auto task = services.queue.find_task(id);
  if (!task || !may_see(request, task->user_id)) throw not_found("task", id);
  // A batch is done when the tasks that it queued are, not when it has queued them.
  if (task->status == TaskStatus::SUCCESS && task->children_done < task->children) {
    task->status = TaskStatus::STARTED;
    task->progress = 100.0 * static_cast<double>(task->children_done) / static_cast<double>(task->children);
    task->finished_at.reset();
  }
  Response response = answer(*task);
  response.set("Cache-Control", "no-store");
  return response;
}

}  // namespace segments
