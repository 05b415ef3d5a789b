#include "app/beat.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "tasks/periodic.h"

namespace segments {

Beat::Beat(std::unique_ptr<BeatLock> lock, Round round, BeatOptions options)
    : lock_(std::move(lock)),
      round_(std::move(round)),
      options_(options),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

bool Beat::try_hold() {
  bool is_held = false;
  try {
    is_held = lock_->hold();
  } catch (const std::exception& error) {
    log_warning("beat.lock_unknown", {{"error", error.what()}});
  }
  if (is_held != is_held_) log_info(is_held ? "beat.taken" : "beat.lost");
  is_held_ = is_held;
  return is_held;
}

void Beat::do_round(const std::stop_token& stop) {
  try {
    round_([&] { return !stop.stop_requested() && try_hold(); });
  } catch (const std::exception& error) {
    // The next round does what this one could not.
    log_warning("beat.failed", {{"error", error.what()}});
  }
}

void Beat::run(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  Millis round_at = 0;
  while (!stop.stop_requested()) {
    bool was_mine = is_held_;
    bool is_mine = try_hold();
    // Whoever takes it from nobody, be it from an outage, does not let wait what has waited.
    if (is_mine && (!was_mine || steady_ms() >= round_at)) {
      do_round(stop);
      round_at = steady_ms() + options_.round_ms;
    }
    wake_.wait_for(lock, stop, std::chrono::milliseconds(options_.hold_ms), [] { return false; });
  }
}

std::unique_ptr<Beat> make_beat(const Config& config, Engines& engines, BeatOptions options) {
  auto lock = engines.redis() ? make_redis_lock(*engines.redis(), 3 * options.hold_ms)
                              : make_file_lock(std::filesystem::path(config.data_dir) / "beat.lock");
  Services& services = engines.services();
  auto round = [&services, sync = config.sync](const std::function<bool()>& may_go_on) {
    sweep(services, now_ms());
    if (sync) queue_due_syncs(services, now_ms(), most_syncs_of_a_round, may_go_on);
  };
  return std::make_unique<Beat>(std::move(lock), round, options);
}

}  // namespace segments
