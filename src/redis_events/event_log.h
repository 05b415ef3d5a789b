// The event log in Redis streams: on its own, the one log of all processes; or, beside a store that writes
// events with its changes, a copy of that store's log that EventRelay keeps. Every call is one script or a
// few. Progress of jobs is published, too, on the earlier backend's channels `job_progress_<job id>`, as the
// JSON of JobProgress. Any thread may call it. Redis must not evict keys without a TTL (maxmemory-policy
// noeviction or volatile-*).
#pragma once

#include <memory>
#include <mutex>
#include <span>

#include "redis/client.h"
#include "redis/subscriber.h"
#include "store/event_log.h"

namespace segments {

// Events, and what Redis knew at the moment when they were read.
struct EventView {
  std::int64_t newest = 0, oldest = 0;
  std::vector<Event> events;
};

class RedisEventLog : public EventLog {
 public:
  explicit RedisEventLog(redis::Client&);

  // Calls throw Error{unavailable} while Redis cannot be asked. An append that failed so may have been done.
  // Ids begin at the time in microseconds. An empty job id is none.
  std::int64_t append_event(const Event&) override;
  // One attempt to append an event, which may be repeated: whatever an attempt before did, the event is there
  // once. A writer has lanes, in each of which the event before is known to be there before the next one
  // comes.
  struct Attempt {
    std::string writer;  // of this process alone; forgotten a day after its last event
    std::int64_t lane = 0, number = 0;
  };
  // The id, or 0 where it was there.
  std::int64_t append_event_once(const Event&, const Attempt&);
  std::vector<Event> list_events(const EventFilter&, std::int64_t after, std::size_t limit) override;
  std::optional<Event> find_last_event(std::string_view job_id) override;
  std::int64_t newest_event_id() override;
  std::int64_t oldest_event_id() override;
  void remove_events_before(Millis) override;  // up to the first that is younger
  // Told by PUBLISH, and after every reconnect, since what was published meanwhile is gone.
  void on_new_events(std::function<void()> notify) override;
  void check_writable() override;

  EventView view_events(const EventFilter&, std::int64_t after, std::size_t limit);
  EventView view_last_event(std::string_view job_id);

  struct Copy {
    std::int64_t after = 0;           // the newest id that Redis knew when the events were chosen
    std::span<const Event> events;    // of the source, from behind `after` on without gaps
    std::int64_t newest = 0;          // Redis is to know this id afterwards, though its event may be removed
    std::int64_t announce_above = 0;  // job events with lower ids are not published on their job's channel
  };
  // Adds those events, ids unchanged, that are not there; returns the newest id that Redis then knows. Where
  // that is below `after` Redis lost events and nothing was done. Any number of processes may copy the same
  // events at once.
  std::int64_t copy_events(const Copy&);
  void remove_events_below(std::int64_t id);
  // Removes everything if `newest` still is the newest id.
  void clear(std::int64_t newest);

 private:
  EventView read(const EventFilter&, std::int64_t after, std::size_t limit, bool is_last);
  void trim(std::string_view by, std::int64_t bound);

  redis::Client& client_;
  std::mutex listener_mutex_;
  std::unique_ptr<redis::Subscriber> subscriber_;
};

}  // namespace segments
