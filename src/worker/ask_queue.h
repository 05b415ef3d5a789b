// Supervisor::ask, for its sources.
#pragma once

#include <exception>

#include "worker/supervisor.h"

namespace segments {

// False when the queue could not do it, or is not asked because it could not a moment ago.
template <class F>
bool Supervisor::ask(const char* what, F&& f) {
  if (now_ < queue_rests_until_) return false;
  try {
    f();
    note_answer(what);
    return true;
  } catch (const std::exception& error) {
    note_refusal(what, error);
    return false;
  }
}

}  // namespace segments
