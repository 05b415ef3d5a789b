// The Redis server's clock, which all processes of a cluster share: asked once a minute, by its offset in
// between.
#pragma once

#include <mutex>

#include "base/time.h"
#include "redis/client.h"

namespace segments::celery {

class ServerClock {
 public:
  explicit ServerClock(redis::Client& redis, Millis asked_every_ms = 60'000)
      : redis_(redis), asked_every_ms_(asked_every_ms) {}
  // Throws Error{unavailable} where it was never asked successfully. Of several threads one asks, and the
  // others go by what was known before.
  Millis now();

 private:
  Millis ask();

  redis::Client& redis_;
  const Millis asked_every_ms_;
  std::mutex mutex_;                // never held while Redis is waited for
  Millis offset_ = 0, ask_at_ = 0;  // to, and on, the clock that never goes back
  bool known_ = false, is_asking_ = false;
};

}  // namespace segments::celery
