#include "celery_control/rate_limits.h"

#include <algorithm>
#include <cmath>

namespace segments::celery {

namespace {
constexpr Millis longest_wait_ms = 5'000;
constexpr Millis most_late_ms = 50;
constexpr int most_places = 200;
constexpr std::size_t most_promises = 100'000;
}  // namespace

void RateLimits::set(std::string_view task, double per_second, std::string_view shown) {
  std::lock_guard lock(mutex_);
  auto found = buckets_.find(task);
  if (!(per_second > 0)) {
    if (found != buckets_.end()) buckets_.erase(found);
    return;
  }
  if (found == buckets_.end()) found = buckets_.emplace(task, Bucket{}).first;
  auto& bucket = found->second;
  bucket.interval_ms = std::min(1000 / per_second, 1e15);
  bucket.shown = shown;
  // What an older, slower limit had promised does not hold.
  bucket.next = 0;
  bucket.promised.clear();
}

std::string RateLimits::shown(std::string_view task) const {
  std::lock_guard lock(mutex_);
  auto found = buckets_.find(task);
  return found == buckets_.end() ? "" : found->second.shown;
}

Millis RateLimits::wait(std::string_view task, Millis at) {
  std::lock_guard lock(mutex_);
  auto found = buckets_.find(task);
  if (found == buckets_.end()) return 0;
  auto& bucket = found->second;
  auto interval = static_cast<Millis>(std::ceil(bucket.interval_ms));
  // The queue does not say whose turn it is: whoever asks when one was told to come again is that one.
  auto& promised = bucket.promised;
  bool comes_again = !promised.empty() && *promised.begin() <= at;
  if (comes_again) promised.erase(promised.begin());
  if (at >= bucket.next) {
    // The queue looks only now and then for what is due: what is late for that is made up, or the rate would
    // be less.
    Millis late = comes_again ? std::min({at - bucket.next, interval / 2, most_late_ms}) : 0;
    bucket.next = at - late + interval;
    return 0;
  }
  // The first place that nobody else was promised: all at once would ask in vain but for one.
  Millis turn = bucket.next;
  for (int places = 0; places < most_places && turn < at + longest_wait_ms; ++places) {
    auto other = promised.upper_bound(turn - interval);
    if (other == promised.end() || *other >= turn + interval) break;
    turn = *other + interval;
  }
  Millis wait = std::clamp<Millis>(turn - at, 1, longest_wait_ms);
  if (promised.size() < most_promises) promised.insert(at + wait);
  return wait;
}

}  // namespace segments::celery
