// The one durable log of what happened, from which both event streams are served. Events are kept 7 days.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/event.h"

namespace segments {

struct EventFilter {
  std::optional<std::string> user_id;
  std::optional<std::string> job_id;
};

class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual std::int64_t append_event(const Event&) = 0;  // the id it was given
  // Events that match, with ids above `after`, in the order of their ids.
  virtual std::vector<Event> list_events(const EventFilter&, std::int64_t after, std::size_t limit) = 0;
  // The newest event of a job, if it has one.
  virtual std::optional<Event> find_last_event(std::string_view job_id) = 0;
  virtual std::int64_t newest_event_id() = 0;  // also when it was removed since; 0 when there never was one
  virtual std::int64_t oldest_event_id() = 0;  // of those that are kept; the one to come when none is; 0 when there never was one
  virtual void remove_events_before(Millis) = 0;
  // `notify` is called soon after events became visible, also those of other processes (within 100 ms), from a thread
  // of the log. One listener; it must not block. An empty function ends it.
  virtual void on_new_events(std::function<void()> notify) = 0;
  // For /ready: really writes, and changes nothing. Throws Error{unavailable} when the store cannot be written now.
  virtual void check_writable() = 0;
};

// Counts that outlive processes and are shared by them: sync attempts by platform and outcome, segments created by tasks.
class Totals {
 public:
  virtual ~Totals() = default;
  virtual void add_total(std::string_view name, std::int64_t n = 1) = 0;  // name: "social_sync_total{platform=\"tiktok\",outcome=\"ok\"}"
  virtual std::vector<std::pair<std::string, std::int64_t>> list_totals() = 0;
};

}  // namespace segments
