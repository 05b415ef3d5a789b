// Times as Celery writes them into messages and results.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace segments::celery {

// ISO 8601 as Celery parses it: "2026-11-22T14:46:49.737872+00:00", fraction and seconds may be absent; Z,
// +hh:mm, +hhmm or nothing (UTC); years 1..9999. `up`: round parts of a millisecond up (for an eta, which is
// never early).
std::optional<Millis> parse_iso_time(std::string_view, bool up = false);
std::string format_iso_time(Millis);  // "2026-11-22T14:46:49.737000+00:00"

}  // namespace segments::celery
