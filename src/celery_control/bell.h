// Wakes the one thread that waits for any of several things.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/time.h"

namespace segments::celery {

class Bell {
 public:
  void ring() {
    {
      std::lock_guard lock(mutex_);
      is_rung_ = true;
    }
    rung_.notify_one();
  }
  // Until it is rung, also before the call, or that time has passed.
  void wait(Millis most) {
    std::unique_lock lock(mutex_);
    rung_.wait_for(lock, std::chrono::milliseconds(most), [this] { return is_rung_; });
    is_rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable rung_;
  bool is_rung_ = false;
};

}  // namespace segments::celery
