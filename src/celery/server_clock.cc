#include "celery/server_clock.h"

#include "base/error.h"
#include "base/text.h"

namespace segments::celery {

Millis ServerClock::now() {
  {
    std::lock_guard lock(mutex_);
    Millis at = steady_ms();
    if (known_ && (is_asking_ || at < ask_at_)) return at + offset_;
    is_asking_ = true;
  }
  try {
    return ask();
  } catch (const Error&) {
    constexpr Millis asked_again_ms = 1'000;
    std::lock_guard lock(mutex_);
    is_asking_ = false;
    Millis at = steady_ms();
    ask_at_ = at + asked_again_ms;
    if (!known_) throw;
    return at + offset_;
  }
}

Millis ServerClock::ask() {
  Millis before = steady_ms();
  auto reply = redis_.ask({"TIME"});
  Millis after = steady_ms();
  if (reply.items.size() != 2) throw Error(ErrorKind::internal, "Redis told no time.");
  auto seconds = parse_integer(reply.items[0].text), micros = parse_integer(reply.items[1].text);
  if (!seconds || !micros) throw Error(ErrorKind::internal, "Redis told no time.");
  std::lock_guard lock(mutex_);
  // Behind by the way back, never ahead: nothing begins before its eta.
  offset_ = *seconds * 1000 + *micros / 1000 - after;
  ask_at_ = before + asked_every_ms_;
  known_ = true;
  is_asking_ = false;
  return after + offset_;
}

}  // namespace segments::celery
