#include "redis_events/relay.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace segments {

namespace {

constexpr std::size_t copied_at_once = 256;
// A Redis that loses its data tells nobody; one that is back is to be filled soon.
constexpr auto look_every = std::chrono::milliseconds(1'000), try_every = std::chrono::milliseconds(200);

constexpr Millis replaced_again_ms = 60'000;

bool is_same(const Event& a, const Event& b) {
  return a.id == b.id && a.type == b.type && a.user_id == b.user_id && a.at == b.at && a.data == b.data;
}

}  // namespace

EventRelay::EventRelay(EventLog& source, RedisEventLog& copy)
    : source_(source), copy_(copy), announced_(source.newest_event_id()) {
  thread_ = std::thread([this] { run(); });
  source_.on_new_events([this] {
    // The thread may be waiting for a Redis that does not answer.
    if (!is_up_) tell_of_outage();
    std::lock_guard lock(mutex_);
    has_news_ = true;
    wake_.notify_one();
  });
}

EventRelay::~EventRelay() {
  source_.on_new_events({});
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void EventRelay::on_outage(std::function<void()> notify) {
  std::lock_guard lock(listener_mutex_);
  on_outage_ = std::move(notify);
}

void EventRelay::tell_of_outage() {
  std::lock_guard lock(listener_mutex_);
  if (on_outage_) on_outage_();
}

void EventRelay::run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    has_news_ = false;
    lock.unlock();
    is_up_ = try_round();
    if (!is_up_) tell_of_outage();
    lock.lock();
    if (is_up_)
      wake_.wait_for(lock, look_every, [this] { return is_stopping_ || has_news_; });
    else
      wake_.wait_for(lock, try_every, [this] { return is_stopping_.load(); });
  }
}

bool EventRelay::try_round() {
  try {
    round();
    if (std::exchange(has_warned_, false)) log_info("events.relay_back");
    return true;
  } catch (const std::exception& error) {
    // Redis or the source cannot be used now. Nothing is lost: the next round begins where Redis ends.
    if (!std::exchange(has_warned_, true)) log_warning("events.relay_waits", {{"detail", error.what()}});
    is_known_ = false;  // it may be another Redis that comes back
    return false;
  }
}

void EventRelay::round() {
  auto view = copy_.view_events({}, 0, 0);
  if (!is_known_ || view.newest > source_.newest_event_id()) {
    view = copy_.view_events({}, std::max<std::int64_t>(view.newest - 1, 0), 1);
    if (!is_of_source(view)) {
      // Two stores would replace each other's events for ever; their tasks are in one queue, too.
      if (replaced_at_ > 0 && steady_ms() - replaced_at_ < replaced_again_ms)
        throw Error(
            ErrorKind::unavailable,
            "Another store's events are in this Redis database; each data folder needs one of its own.");
      replaced_at_ = steady_ms();
      log_warning("events.copy_replaced", {{"newest", view.newest}});
      copy_.clear(view.newest);
      view = copy_.view_events({}, 0, 0);
    } else if (view.newest > 0 && !has_met_redis_) {
      // Whoever copied up to here may have been killed before it announced the rest.
      announced_ = view.newest;
    }
    is_known_ = has_met_redis_ = true;
  }
  copy_from(view.newest);
  if (auto oldest = source_.oldest_event_id(); view.oldest > 0 && view.oldest < oldest)
    copy_.remove_events_below(oldest);
}

std::int64_t EventRelay::copy_from(std::int64_t position) {
  while (!is_stopping_) {
    announced_ = std::max(announced_, position);
    // Asked first: of ids up to here whatever is not in the list is removed.
    auto newest = source_.newest_event_id();
    if (newest <= position) break;
    auto events = source_.list_events({}, position, copied_at_once);
    bool is_end = events.size() < copied_at_once;
    position = copy_.copy_events({position, events, is_end ? newest : 0, announced_});
  }
  return position;
}

// The newest event that Redis knows is the source's, as far as that can be told: both may have removed it.
bool EventRelay::is_of_source(const EventView& view) {
  if (view.newest == 0) return true;
  if (view.newest > source_.newest_event_id()) return false;
  if (view.events.empty() || view.events.front().id != view.newest) return true;
  auto own = source_.list_events({}, view.newest - 1, 1);
  return own.empty() || own.front().id != view.newest || is_same(own.front(), view.events.front());
}

}  // namespace segments
