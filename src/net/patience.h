// Waiting for descriptors, with an end.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace segments::net {

// How long to wait: to a moment of steady_ms(), or until the descriptor `stop` (where there is one) becomes
// readable.
struct Patience {
  Millis deadline;
  int stop = -1;
};

// Error{unavailable}: "{who} {what}.", such as "Redis did not answer in time."; to be tried again in a
// second.
Error unavailable(std::string_view who, std::string_view what);

// Waits for events (POLLIN, POLLOUT) on a descriptor, or its end; -1: for the patience alone. False at the
// deadline; throws Error{unavailable} at `stop`. `who` is waited for: errors name it.
bool wait_for_events(int descriptor, short events, const Patience&, std::string_view who);
// Throws at the deadline, too.
void await_events(int descriptor, short events, const Patience&, std::string_view who);

}  // namespace segments::net
