// The Redis server's clock, which all processes of a cluster share: asked once a minute, by its offset in
// between.
#pragma once

#include <mutex>

#include "base/time.h"
#include "redis/client.h"

namespace segments::celery {

class ServerClock {
 public:
  explicit ServerClock(redis::Client& redis) : redis_(redis) {}
  Millis now();  // Throws Error{unavailable} where it was never asked successfully

 private:
  redis::Client& redis_;
  std::mutex mutex_;
  Millis offset_ = 0, asked_ = 0;  // to, and on, the clock that never goes back
  bool known_ = false;
};

}  // namespace segments::celery
