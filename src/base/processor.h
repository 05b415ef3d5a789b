// How the kernel shares the processors between threads.
#pragma once

#include <cstdint>
#include <optional>

#include "base/descriptor.h"

namespace segments {

// Who asks for short turns on a processor is let on it sooner when it wakes, and gets no more of it: what
// this thread has to do does not wait for the end of a turn of a checkpoint's or a backup's. Kernels
// before 6.12 take the wish for nothing; where an operator has chosen another policy than the usual one it
// stays.
void ask_for_short_turns();

// What one thread has had of the processors. Made on that thread; any other may ask, while it lives.
class ProcessorUse {
 public:
  ProcessorUse();

  struct Times {
    std::int64_t ran_ns = 0;
    std::int64_t waited_ns = 0;  // ready to run, while others did
  };
  std::optional<Times> read() const;  // nothing where the kernel does not tell

 private:
  Descriptor file_;
};

}  // namespace segments
