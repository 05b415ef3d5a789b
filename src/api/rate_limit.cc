#include "api/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace segments {

RateLimit::RateLimit(std::int64_t per_minute, std::size_t most_names)
    : per_minute_(per_minute), most_names_(most_names) {}

int RateLimit::take(std::string_view name, Millis now, double count) {
  if (per_minute_ <= 0) return 0;
  const double most = static_cast<double>(per_minute_);
  std::lock_guard lock(mutex_);
  // A bucket that nobody touched for a minute is full, as a new one is: forgetting it changes nothing.
  if (buckets_.size() >= most_names_)
    std::erase_if(buckets_, [&](const auto& b) { return now - b.second.at >= 60'000; });
  // Beyond that many names within a minute, memory matters more than the limit of each.
  if (buckets_.size() >= most_names_) buckets_.clear();
  auto [found, is_new] = buckets_.try_emplace(std::string(name), Bucket{most, now});
  Bucket& bucket = found->second;
  if (now > bucket.at) {
    bucket.tokens = std::min(most, bucket.tokens + static_cast<double>(now - bucket.at) * most / 60'000);
    bucket.at = now;
  }
  if (bucket.tokens >= count) {
    bucket.tokens -= count;
    return 0;
  }
  return std::max(1, static_cast<int>(std::ceil((count - bucket.tokens) * 60 / most)));
}

std::size_t RateLimit::names() {
  std::lock_guard lock(mutex_);
  return buckets_.size();
}

}  // namespace segments
