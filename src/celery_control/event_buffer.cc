#include "celery_control/event_buffer.h"

#include <algorithm>
#include <iterator>

namespace segments::celery {

EventBuffer::EventBuffer(Bell& bell, Metrics* metrics)
    : bell_(bell),
      counter_(metrics ? &metrics->counter("segments_celery_events_dropped_total",
                                           "Task events that were not published, for want of room.")
                       : nullptr) {}

void EventBuffer::count_drops(std::size_t count) {
  dropped_ += count;
  if (counter_) counter_->add(count);
}

void EventBuffer::add(Event event) {
  std::size_t size = 0;
  {
    std::lock_guard lock(mutex_);
    if (events_.size() >= most) {
      count_drops(1);
      return;
    }
    if (events_.empty()) since_ = steady_ms();
    events_.push_back(std::move(event));
    size = events_.size();
  }
  if (size == 1 || size == batch) bell_.ring();
}

std::optional<Millis> EventBuffer::due() const {
  std::lock_guard lock(mutex_);
  if (events_.empty()) return std::nullopt;
  return events_.size() >= batch ? since_ : since_ + linger_ms;
}

std::vector<Event> EventBuffer::take(std::size_t most_taken) {
  std::lock_guard lock(mutex_);
  auto end = events_.begin() + static_cast<std::ptrdiff_t>(std::min(most_taken, events_.size()));
  std::vector<Event> taken(std::move_iterator(events_.begin()), std::move_iterator(end));
  events_.erase(events_.begin(), end);
  since_ = steady_ms();
  return taken;
}

void EventBuffer::put_back(std::vector<Event> events) {
  std::lock_guard lock(mutex_);
  std::size_t room = most - std::min(most, events_.size());
  // The oldest go first: what came after them tells more.
  std::size_t lost = events.size() - std::min(room, events.size());
  count_drops(lost);
  events_.insert(events_.begin(), std::move_iterator(events.begin() + static_cast<std::ptrdiff_t>(lost)),
                 std::move_iterator(events.end()));
}

}  // namespace segments::celery
