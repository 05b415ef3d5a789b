// Supervisor::ask, for its sources.
#pragma once

#include <exception>
#include <utility>

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
    now_ = steady_ms();  // it may have been waited for
    if (std::exchange(queue_has_failed_, false)) log_info("worker.queue_works", {{"during", what}});
    return true;
  } catch (const std::exception& error) {
    now_ = steady_ms();
    queue_rests_until_ = now_ + rest_ms;
    if (!std::exchange(queue_has_failed_, true))
      log_error("worker.queue_failed", {{"during", what}, {"error", error.what()}});
    // Leases may have come to their ends meanwhile: the first thing that it is asked again.
    renew_at_once_ = true;
    return false;
  }
}

}  // namespace segments
