#include "redis_events/relayed_event_log.h"

#include <algorithm>

#include "base/error.h"

namespace segments {

namespace {

// Redis holds every event that the store held behind `after` and up to `newest`. Its end may be missing since
// it lost them, its beginning since somebody trimmed it by hand.
bool is_whole(const EventView& view, std::int64_t newest, std::int64_t after) {
  return view.newest >= newest && view.oldest <= after + 1;
}

}  // namespace

RelayedEventLog::RelayedEventLog(EventLog& source, redis::Client& client)
    : source_(source), copy_(client), relay_(source, copy_) {}

std::vector<Event> RelayedEventLog::list_events(const EventFilter& filter, std::int64_t after,
                                                std::size_t limit) {
  if (relay_.is_redis_up()) {
    try {
      auto newest = source_.newest_event_id();
      // The store may have removed events that the relay is yet to remove.
      auto kept_after = std::max(after, source_.oldest_event_id() - 1);
      auto view = copy_.view_events(filter, kept_after, limit);
      if (is_whole(view, newest, kept_after)) return std::move(view.events);
    } catch (const Error&) {
      // The relay meets the same trouble and tells of it.
    }
  }
  return source_.list_events(filter, after, limit);
}

std::optional<Event> RelayedEventLog::find_last_event(std::string_view job_id) {
  if (relay_.is_redis_up()) {
    try {
      auto newest = source_.newest_event_id();
      auto oldest = source_.oldest_event_id();
      auto view = copy_.view_last_event(job_id);
      if (is_whole(view, newest, oldest - 1)) {
        if (view.events.empty() || view.events.front().id < oldest) return std::nullopt;
        return std::move(view.events.front());
      }
    } catch (const Error&) {
      // As above.
    }
  }
  return source_.find_last_event(job_id);
}

void RelayedEventLog::on_new_events(std::function<void()> notify) {
  relay_.on_outage(notify);
  copy_.on_new_events(std::move(notify));
}

}  // namespace segments
