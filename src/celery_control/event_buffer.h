// Task events between the threads on which things happen and the one that publishes them. Adding never waits
// for Redis: past the bound events are dropped and counted.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/metrics.h"
#include "celery/event.h"
#include "celery_control/bell.h"

namespace segments::celery {

class EventBuffer {
 public:
  static constexpr std::size_t most = 10'000;
  static constexpr std::size_t batch = 24;  // published together
  static constexpr Millis linger_ms = 5;    // an event waits so long for others to go with it

  EventBuffer(Bell& bell, Metrics* metrics);

  bool are_wanted() const { return wanted_.load(std::memory_order_relaxed); }
  bool want(bool wanted) { return wanted_.exchange(wanted); }  // whether they were

  void add(Event);
  // For the publishing thread.
  std::optional<Millis> due() const;  // when the oldest must go (steady), sooner if a batch is full
  std::vector<Event> take(std::size_t most_taken);
  void put_back(std::vector<Event>);  // could not be published: the next to be taken
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void count_drops(std::size_t);

  Bell& bell_;
  Counter* counter_;
  std::atomic<bool> wanted_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
  mutable std::mutex mutex_;
  std::deque<Event> events_;
  Millis since_ = 0;  // when there began to be some
};

}  // namespace segments::celery
