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

Readiness::Readiness(Services& services) : services_(services) {
  looks_[0].at = &Readiness::look_at_store;
  looks_[1].at = &Readiness::look_at_objects;
  looks_[2].at = &Readiness::look_at_queue;
}

Readiness::~Readiness() {
  for (Look& look : looks_)
    if (look.looker.joinable()) look.looker.join();
}

ReadinessReport Readiness::report() {
  std::unique_lock lock(mutex_);
  for (Look& look : looks_)
    if (!look.is_under_way && (look.ended_at == 0 || steady_ms() - look.ended_at >= looked_at_most_every))
      begin(look);
  ReadinessReport report;
  for (Look& look : looks_) {
    auto left = std::chrono::milliseconds(std::max<Millis>(0, look.begun_at + longest_wait - steady_ms()));
    bool is_whole = looked_.wait_for(lock, left, [&look] { return !look.is_under_way; });
    Millis age = is_whole ? std::max<Millis>(0, steady_ms() - look.ended_at) : 0;
    for (auto [part, check] : look.checks) {
      check.age_ms += age;
      report.checks[part] = std::move(check);
    }
  }
  for (const char* part : parts)
    if (!report.checks.contains(part))
      report.checks[part].detail = std::string(part) + " has not answered yet";
  bool is_ready = std::ranges::all_of(report.checks, [](const auto& entry) { return entry.second.ok; });
  report.status = is_ready ? "ready" : "unready";
  return report;
}

void Readiness::begin(Look& look) {
  if (look.looker.joinable()) look.looker.join();
  look.checks.clear();
  look.is_under_way = true;
  look.begun_at = steady_ms();
  look.looker = std::thread([this, &look] {
    (this->*look.at)(look);
    std::lock_guard lock(mutex_);
    look.ended_at = steady_ms();
    look.is_under_way = false;
    looked_.notify_all();
  });
}

void Readiness::put(Look& look, const char* part, ReadinessCheck check) {
  std::lock_guard lock(mutex_);
  look.checks[part] = std::move(check);
}

void Readiness::look_at_store(Look& look) {
  put(look, "store", check("store", [&](ReadinessCheck& result) {
        services_.events.check_writable();
        result.detail = "writable";
      }));
}

void Readiness::look_at_objects(Look& look) {
  bool takes_objects = false;
  std::int64_t free_bytes = -1;
  put(look, "objects", check("objects", [&](ReadinessCheck& result) {
        free_bytes = services_.objects.check_writable();
        takes_objects = true;
        result.detail = "writable";
      }));
  put(look, "disk", check("disk", [&](ReadinessCheck& result) {
        // Where nothing can be written, as on a full disk, nobody could ask how much is free.
        result.ok = takes_objects && (free_bytes < 0 || free_bytes >= least_free_bytes);
        result.detail = !takes_objects   ? "objects cannot be written"
                        : free_bytes < 0 ? "free space is not known"
                                         : std::to_string(free_bytes >> 20) + " MiB free";
      }));
}

void Readiness::look_at_queue(Look& look) {
  QueueHealth health;
  put(look, "queue", check("queue", [&](ReadinessCheck& result) {
        health = services_.queue.health();
        result.detail = health.danger.empty() ? "answers" : "answers; " + health.danger;
      }));
  put(look, "worker", check("worker", [&](ReadinessCheck& result) {
        bool was_seen = health.newest_worker_heartbeat > 0;
        result.age_ms = was_seen ? std::max<Millis>(0, now_ms() - health.newest_worker_heartbeat) : 0;
        result.ok = was_seen && result.age_ms <= oldest_heartbeat;
        result.detail = !was_seen   ? "no worker was seen yet"
                        : result.ok ? "beats"
                                    : "its heartbeat is too old";
      }));
}

}  // namespace segments
