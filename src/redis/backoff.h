// How long to leave a server alone that could not be reached: 50 ms, doubled up to 2 s, less a random part,
// so that many clients do not come back at once. Not for several threads at once.
#pragma once

#include <algorithm>
#include <random>

#include "base/time.h"

namespace segments::redis {

class Backoff {
 public:
  Millis next() {
    Millis most = std::min<Millis>(2'000, 50ll << std::min(failures_++, 6));
    return std::uniform_int_distribution<Millis>(most / 2, most)(random_);
  }
  void reset() { failures_ = 0; }
  bool is_failing() const { return failures_ > 0; }

 private:
  int failures_ = 0;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace segments::redis
