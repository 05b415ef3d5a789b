// How often tasks of a name may begin: a bucket that holds one run for each name. Any thread may call.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/time.h"

namespace segments::celery {

class RateLimits {
 public:
  // `shown` as the operator wrote it ("10/m"). 0: no limit from now on.
  void set(std::string_view task, double per_second, std::string_view shown);
  std::string shown(std::string_view task) const;  // "" where there is no limit

  // For CeleryQueueOptions::limit. 0: it begins now. Otherwise it may ask again after so many ms, which is
  // when its turn comes or 5 s, so that a new limit is soon seen by those that wait. `at` is a clock that
  // does not go back.
  Millis wait(std::string_view task, Millis at);

 private:
  struct Bucket {
    double interval_ms = 0;
    std::string shown;
    Millis next = 0;                 // when the next may begin
    std::multiset<Millis> promised;  // when those that wait come again
  };
  mutable std::mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace segments::celery
