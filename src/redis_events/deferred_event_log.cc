#include "redis_events/deferred_event_log.h"

#include <utility>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"

namespace segments {

DeferredEventLog::DeferredEventLog(RedisEventLog& log, RedisEventLog& prompt, Options options)
    : log_(log), prompt_(prompt), options_(options), writer_(make_id()), thread_([this] { run(); }) {}

DeferredEventLog::~DeferredEventLog() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
  if (!kept_.empty()) log_error("events.lost", {{"events", kept_.size()}});
}

std::int64_t DeferredEventLog::take_lane() {
  if (free_lanes_.empty()) return lanes_++;
  auto lane = free_lanes_.front();
  free_lanes_.pop_front();
  return lane;
}

RedisEventLog::Attempt DeferredEventLog::next_attempt(std::int64_t lane) {
  return {.writer = writer_, .lane = lane, .number = ++numbers_};
}

std::size_t DeferredEventLog::kept() {
  std::lock_guard lock(mutex_);
  return kept_.size();
}

std::int64_t DeferredEventLog::append_event(const Event& event) {
  std::unique_lock lock(mutex_);
  // Whoever waits already goes first.
  if (!kept_.empty()) return keep({event, std::nullopt}), 0;
  const auto attempt = next_attempt(take_lane());
  lock.unlock();
  try {
    auto id = prompt_.append_event_once(event, attempt);
    lock.lock();
    free_lanes_.push_front(attempt.lane);
    return id;
  } catch (const Error& error) {
    lock.lock();
    note_outage(true, error.what());
    // The lane stays this event's until it is known to be there.
    keep({event, attempt});
    return 0;
  }
}

void DeferredEventLog::keep(Kept one) {
  kept_.push_back(std::move(one));
  if (kept_.size() > options_.most_kept) {
    kept_.pop_front();
    ++taken_;
    ++dropped_;
  }
  wake_.notify_one();
}

void DeferredEventLog::note_outage(bool is_away, const char* detail) {
  if (std::exchange(is_away_, is_away) == is_away) return;
  if (is_away)
    log_warning("events.kept", {{"detail", detail}});
  else
    log_info("events.delivered", {{"dropped", std::exchange(dropped_, 0)}});
}

// Whether Redis took it.
bool DeferredEventLog::deliver_first(std::unique_lock<std::mutex>& lock) {
  auto& first = kept_.front();
  if (!first.attempt) first.attempt = next_attempt(take_lane());
  const Kept one = first;
  const auto taken = taken_;
  std::string failure;
  lock.unlock();
  try {
    log_.append_event_once(one.event, *one.attempt);
  } catch (const Error& error) {
    failure = error.what();
  }
  lock.lock();
  if (!failure.empty()) {
    note_outage(true, failure.c_str());
    return false;
  }
  free_lanes_.push_back(one.attempt->lane);
  if (taken == taken_) {  // else it was dropped meanwhile
    kept_.pop_front();
    ++taken_;
  }
  if (kept_.empty()) note_outage(false, "");
  return true;
}

void DeferredEventLog::run() {
  const auto pause = std::chrono::milliseconds(options_.try_every_ms);
  std::optional<Millis> end;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return is_stopping_ || !kept_.empty(); });
    if (kept_.empty()) return;
    if (is_stopping_ && !end) end = steady_ms() + options_.end_ms;
    if (end && steady_ms() > *end) return;
    if (deliver_first(lock)) continue;
    wake_.wait_for(lock, pause, [this, &end] { return is_stopping_ && !end; });
  }
}

}  // namespace segments
