// Copies a store's events to Redis, in order and with their ids, on a thread of its own. Any number of
// relays, in any processes, may copy the same log at once and be killed at any moment. Redis follows the
// source at both ends: what the source removes goes, what Redis lost comes back, and what another store left
// behind is replaced.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "redis_events/event_log.h"

namespace segments {

class EventRelay {
 public:
  // The relay becomes the listener of the source.
  EventRelay(EventLog& source, RedisEventLog& copy);
  ~EventRelay();
  EventRelay(const EventRelay&) = delete;
  EventRelay& operator=(const EventRelay&) = delete;

  // Redis answered last time and holds this source's events, if perhaps not all of them.
  bool is_redis_up() const { return is_up_; }
  // Called at new events and now and then while Redis is away, which tells nobody of them then; from threads
  // of the relay and the source. An empty function ends it.
  void on_outage(std::function<void()> notify);

 private:
  void tell_of_outage();
  void run();
  bool try_round();
  void round();
  std::int64_t copy_from(std::int64_t position);
  bool is_of_source(const EventView&);

  EventLog& source_;
  RedisEventLog& copy_;

  std::mutex listener_mutex_;
  std::function<void()> on_outage_;

  std::atomic<bool> is_up_ = false;
  std::atomic<bool> is_stopping_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool has_news_ = false;

  // The thread's own.
  bool is_known_ = false;  // that what Redis holds is the source's
  bool has_met_redis_ = false;
  Millis replaced_at_ = 0;      // when another store's events were last removed
  bool has_warned_ = false;     // of this outage
  std::int64_t announced_ = 0;  // job events up to here were told on their channels, or are history
  std::thread thread_;
};

}  // namespace segments
