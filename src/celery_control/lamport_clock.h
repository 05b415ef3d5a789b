// The logical clock by which a cluster orders what its nodes say. For one thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace segments::celery {

class LamportClock {
 public:
  std::int64_t value() const { return value_; }
  std::int64_t forward() { return ++value_; }  // before each event and reply
  // With each message that came. One that no cluster counts up to in its life is a stranger's joke, and would
  // leave no room above it.
  void adjust(std::int64_t theirs) {
    constexpr std::int64_t most = std::int64_t{1} << 53;
    value_ = std::max(value_, theirs < most ? theirs : 0) + 1;
  }

 private:
  std::int64_t value_ = 0;
};

}  // namespace segments::celery
