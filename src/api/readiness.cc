#include "api/readiness.h"

#include <algorithm>

#include "base/log.h"

namespace segments {

namespace {

constexpr Millis looked_at_most_every = 1'000;
constexpr std::int64_t least_free_bytes = 64 << 20;
constexpr Millis oldest_heartbeat = 30'000;

template <class F>
ReadinessCheck check(const char* name, F&& f) {
  ReadinessCheck result;
  try {
    result.ok = true;
    f(result);
  } catch (const std::exception& error) {
    // Paths and causes are for the log: anybody may ask whether we are ready.
    log_error("ready.failed", {{"check", name}, {"detail", error.what()}});
    result.ok = false;
    result.detail = std::string(name) + " does not answer as it should";
  }
  return result;
}

}  // namespace

ReadinessReport Readiness::report() {
  std::lock_guard lock(mutex_);
  Millis now = steady_ms();
  if (looked_at_ == 0 || now - looked_at_ >= looked_at_most_every) {
    look();
    looked_at_ = steady_ms();
  }
  ReadinessReport report = last_;
  for (auto& [name, check] : report.checks) check.age_ms += std::max<Millis>(0, steady_ms() - looked_at_);
  return report;
}

void Readiness::look() {
  auto& checks = last_.checks;
  checks["store"] = check("store", [&](ReadinessCheck& result) {
    services_.events.check_writable();
    result.detail = "writable";
  });
  std::int64_t free_bytes = -1;
  checks["objects"] = check("objects", [&](ReadinessCheck& result) {
    free_bytes = services_.objects.check_writable();
    result.detail = "writable";
  });
  checks["disk"] = check("disk", [&](ReadinessCheck& result) {
    result.ok = free_bytes < 0 || free_bytes >= least_free_bytes;
    result.detail =
        free_bytes < 0 ? "free space is not known" : std::to_string(free_bytes >> 20) + " MiB free";
  });
  QueueHealth health;
  checks["queue"] = check("queue", [&](ReadinessCheck& result) {
    health = services_.queue.health();
    result.detail = "answers";
  });
  checks["worker"] = check("worker", [&](ReadinessCheck& result) {
    bool was_seen = health.newest_worker_heartbeat > 0;
    result.age_ms = was_seen ? std::max<Millis>(0, now_ms() - health.newest_worker_heartbeat) : 0;
    result.ok = was_seen && result.age_ms <= oldest_heartbeat;
    result.detail = !was_seen ? "no worker was seen yet" : result.ok ? "beats" : "its heartbeat is too old";
  });
  bool is_ready = std::ranges::all_of(checks, [](const auto& entry) { return entry.second.ok; });
  last_.status = is_ready ? "ready" : "unready";
}

}  // namespace segments
