#include "celery/server_clock.h"

#include "base/error.h"
#include "base/text.h"

namespace segments::celery {

Millis ServerClock::now() {
  constexpr Millis asked_every_ms = 60'000;
  std::lock_guard lock(mutex_);
  Millis before = steady_ms();
  if (known_ && before - asked_ < asked_every_ms) return before + offset_;
  try {
    auto reply = redis_.ask({"TIME"});
    Millis after = steady_ms();
    if (reply.items.size() == 2) {
      auto seconds = parse_integer(reply.items[0].text), micros = parse_integer(reply.items[1].text);
      if (seconds && micros) offset_ = *seconds * 1000 + *micros / 1000 - (before + after) / 2;
      known_ = true;
    }
    asked_ = before;
    return after + offset_;
  } catch (const Error&) {
    if (!known_) throw;
    asked_ = before - asked_every_ms + 1'000;
    return before + offset_;
  }
}

}  // namespace segments::celery
