// A store's event log as it is read through Redis: events are written by the store, an EventRelay copies
// them, and whoever reads is told by Redis and reads from there. Redis's answer counts only where it holds
// all that the store held when it was asked; else (it is away, lost its data, is being filled) the store's
// own answer is given, which has the same ids. So streams neither stop nor repeat nor miss anything, whatever
// becomes of Redis.
#pragma once

#include "redis_events/relay.h"

namespace segments {

class RelayedEventLog : public EventLog {
 public:
  // Starts to copy at once. Takes the place of the source's listener.
  RelayedEventLog(EventLog& source, redis::Client&);

  std::int64_t append_event(const Event& event) override { return source_.append_event(event); }
  std::vector<Event> list_events(const EventFilter&, std::int64_t after, std::size_t limit) override;
  std::optional<Event> find_last_event(std::string_view job_id) override;
  std::int64_t newest_event_id() override { return source_.newest_event_id(); }
  std::int64_t oldest_event_id() override { return source_.oldest_event_id(); }
  void remove_events_before(Millis before) override {
    source_.remove_events_before(before);
  }  // the copy follows
  void on_new_events(std::function<void()> notify) override;
  void check_writable() override { source_.check_writable(); }  // events do not need Redis

  // What Redis holds, for those who want to see it.
  RedisEventLog& copy() { return copy_; }

 private:
  EventLog& source_;
  RedisEventLog copy_;
  EventRelay relay_;
};

}  // namespace segments
