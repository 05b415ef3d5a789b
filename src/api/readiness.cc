#include "api/readiness.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace segments {

namespace {

constexpr Millis looked_at_most_every = 1'000;
constexpr std::int64_t least_free_bytes = 64 << 20;
constexpr Millis oldest_heartbeat = 30'000;
constexpr Millis longest_wait = 2'000;
constexpr const char* parts[] = {"store", "objects", "disk", "queue", "worker"};

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
    result.detail = std::string(name) + " cannot be used now";
  }
  return result;
}

}  // namespace

Readiness::~Readiness() {
  if (looker_.joinable()) looker_.join();
}

ReadinessReport Readiness::report() {
  std::unique_lock lock(mutex_);
  if (!is_looking_ && (looked_at_ == 0 || steady_ms() - looked_at_ >= looked_at_most_every)) begin_look();
  auto left = std::chrono::milliseconds(std::max<Millis>(0, begun_at_ + longest_wait - steady_ms()));
  bool is_whole = looked_.wait_for(lock, left, [this] { return !is_looking_; });
  ReadinessReport report{.checks = checks_};
  for (const char* part : parts)
    if (!report.checks.contains(part))
      report.checks[part].detail = std::string(part) + " has not answered yet";
  Millis age = is_whole ? std::max<Millis>(0, steady_ms() - looked_at_) : 0;
  for (auto& [name, check] : report.checks) check.age_ms += age;
  bool is_ready = std::ranges::all_of(report.checks, [](const auto& entry) { return entry.second.ok; });
  report.status = is_ready ? "ready" : "unready";
  return report;
}

void Readiness::begin_look() {
  if (looker_.joinable()) looker_.join();
  looker_ = std::thread([this] { look(); });
  checks_.clear();
  is_looking_ = true;
  begun_at_ = steady_ms();
}

void Readiness::put(const char* name, ReadinessCheck check) {
  std::lock_guard lock(mutex_);
  checks_[name] = std::move(check);
}

void Readiness::look() {
  put("store", check("store", [&](ReadinessCheck& result) {
        services_.events.check_writable();
        result.detail = "writable";
      }));
  bool takes_objects = false;
  std::int64_t free_bytes = -1;
  put("objects", check("objects", [&](ReadinessCheck& result) {
        free_bytes = services_.objects.check_writable();
        takes_objects = true;
        result.detail = "writable";
      }));
  put("disk", check("disk", [&](ReadinessCheck& result) {
        // Where nothing can be written, as on a full disk, nobody could ask how much is free.
        result.ok = takes_objects && (free_bytes < 0 || free_bytes >= least_free_bytes);
        result.detail = !takes_objects   ? "objects cannot be written"
                        : free_bytes < 0 ? "free space is not known"
                                         : std::to_string(free_bytes >> 20) + " MiB free";
      }));
  QueueHealth health;
  put("queue", check("queue", [&](ReadinessCheck& result) {
        health = services_.queue.health();
        result.detail = health.danger.empty() ? "answers" : "answers; " + health.danger;
      }));
  put("worker", check("worker", [&](ReadinessCheck& result) {
        bool was_seen = health.newest_worker_heartbeat > 0;
        result.age_ms = was_seen ? std::max<Millis>(0, now_ms() - health.newest_worker_heartbeat) : 0;
        result.ok = was_seen && result.age_ms <= oldest_heartbeat;
        result.detail = !was_seen   ? "no worker was seen yet"
                        : result.ok ? "beats"
                                    : "its heartbeat is too old";
      }));
  std::lock_guard lock(mutex_);
  looked_at_ = steady_ms();
  is_looking_ = false;
  looked_.notify_all();
}

}  // namespace segments
