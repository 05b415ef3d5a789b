// The event log in Redis for a store that is elsewhere and cannot write an event with its change: the change
// is acknowledged whether or not Redis is there, and its event follows. What Redis does not take now is kept
// in memory, in order, and delivered when it is back, once, even where an attempt before had been carried out
// unseen. What a process that is killed had not delivered yet is lost as an event, never as a record.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "redis_events/event_log.h"

namespace segments {

class DeferredEventLog : public EventLog {
 public:
  struct Options {
    std::size_t most_kept = 50'000;  // beyond it the oldest are dropped, which is logged
    int try_every_ms = 200;          // while Redis is away
    int end_ms = 5'000;              // how long the destructor goes on trying
  };
  // `prompt` is the same log by a client with short deadlines: whoever changed a record waits for no Redis
  // that is silent. Both must outlive it.
  DeferredEventLog(RedisEventLog& log, RedisEventLog& prompt) : DeferredEventLog(log, prompt, Options{}) {}
  DeferredEventLog(RedisEventLog& log, RedisEventLog& prompt, Options);
  ~DeferredEventLog() override;
  DeferredEventLog(const DeferredEventLog&) = delete;
  DeferredEventLog& operator=(const DeferredEventLog&) = delete;

  // Never throws for Redis's sake. 0 where the event is delivered later. Events that one thread appends after
  // each other keep their order.
  std::int64_t append_event(const Event&) override;
  std::size_t kept();  // not delivered yet

  // These ask Redis, and throw Error{unavailable} while it is away.
  std::vector<Event> list_events(const EventFilter& filter, std::int64_t after, std::size_t limit) override {
    return log_.list_events(filter, after, limit);
  }
  std::optional<Event> find_last_event(std::string_view job_id) override {
    return log_.find_last_event(job_id);
  }
  std::int64_t newest_event_id() override { return log_.newest_event_id(); }
  std::int64_t oldest_event_id() override { return log_.oldest_event_id(); }
  void remove_events_before(Millis before) override { log_.remove_events_before(before); }
  void on_new_events(std::function<void()> notify) override { log_.on_new_events(std::move(notify)); }
  void check_writable() override { log_.check_writable(); }

 private:
  struct Kept {
    Event event;
    std::optional<RedisEventLog::Attempt> attempt;  // of one that may have been carried out
  };
  std::int64_t take_lane();  // free ones are used again: there are as many as callers at once
  RedisEventLog::Attempt next_attempt(std::int64_t lane);
  void keep(Kept);
  void run();
  bool deliver_first(std::unique_lock<std::mutex>&);
  void note_outage(bool is_away, const char* detail);

  RedisEventLog &log_, &prompt_;
  const Options options_;
  const std::string writer_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Kept> kept_;
  std::deque<std::int64_t> free_lanes_;
  std::int64_t lanes_ = 0, numbers_ = 0;
  std::int64_t taken_ = 0;  // of those kept, from the front; tells whether the front is still the same
  std::size_t dropped_ = 0;
  bool is_away_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace segments
