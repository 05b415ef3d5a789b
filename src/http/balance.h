// Evens out what the I/O threads have to do. The kernel deals out processors as it sees fit, and other
// programs (a task's ffmpeg, a backup) want them too: a loop that stands in line for its own has a queue of
// requests, while the other sleeps. Such a loop gives connections away, between two requests.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/processor.h"

namespace segments::http {

class Loop;

// Of one loop in the time that is looked at.
struct LoopUse {
  double busy = 0;  // the share of it in which the thread ran or waited for a processor
  int active = 0;   // connections that asked for something
};

struct ConnectionMove {
  std::size_t from = 0, to = 0;
  int count = 0;
  bool operator==(const ConnectionMove&) const = default;
};

// What two looks on end agree on: one alone sees what is over before anything has moved. Nothing while the
// loops differ by little. About half of what would make them even, so that they do not swap roles.
std::optional<ConnectionMove> move_to_balance(std::span<const LoopUse> before, std::span<const LoopUse> now);

class Balance {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto period = std::chrono::milliseconds(50);

  // On the loop's own thread, before and after it runs.
  void join(Loop&);
  void leave(Loop&);
  // On any of these threads, while there are requests. Does something once in each period.
  void look(Clock::time_point now);

 private:
  struct Member {
    Loop* loop;
    ProcessorUse processor;
    ProcessorUse::Times times;
  };

  std::vector<LoopUse> measure(double ns);

  std::mutex mutex_;
  std::vector<Member> members_;
  std::vector<LoopUse> before_;
  Clock::time_point looked_;
};

}  // namespace segments::http
