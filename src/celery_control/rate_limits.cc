#include "celery_control/rate_limits.h"

#include <algorithm>
#include <cmath>

namespace segments::celery {

namespace {
constexpr Millis longest_wait_ms = 10'000;
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
    bucket.next = at + interval;
    return 0;
  }
  // New ones line up behind those that wait, so that they do not all ask at once for one place.
  Millis turn = bucket.next;
  if (!comes_again && !promised.empty()) turn = std::max(turn, *promised.rbegin() + interval);
  Millis wait = std::clamp<Millis>(turn - at, 1, longest_wait_ms);
  if (promised.size() < most_promises) promised.insert(at + wait);
  return wait;
}

}  // namespace segments::celery
