// Supervisor::ask, for its sources.
#pragma once

#include <exception>

#include "base/log.h"
#include "worker/supervisor.h"

namespace segments {

// False when the queue could not do it, or is not asked because it could not a moment ago.
template <class F>
bool Supervisor::ask(const char* what, F&& f) {
  constexpr Millis rest_ms = 1000;
  if (now_ < queue_rests_until_) return false;
  try {
    f();
    return true;
  } catch (const std::exception& error) {
    log_error("worker.queue_failed", {{"during", what}, {"error", error.what()}});
    queue_rests_until_ = now_ + rest_ms;
    return false;
  }
}

}  // namespace segments
