// Token buckets by name (a user, an address), bounded in number. Any thread may call.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"

namespace segments {

class RateLimit {
 public:
  // `per_minute` may come at once, and as many each minute after; 0: no limit.
  explicit RateLimit(std::int64_t per_minute, std::size_t most_names = 100'000);
  // 0 when there was room for `count` (it is taken), else the seconds until there is.
  int take(std::string_view name, Millis now, double count = 1);
  std::int64_t per_minute() const { return per_minute_; }
  std::size_t names();

 private:
  struct Bucket {
    double tokens = 0;
    Millis at = 0;
  };
  const std::int64_t per_minute_;
  const std::size_t most_names_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace segments
