// The platform that is asked when no credentials are given: counts made up from (platform, post id, age of the post)
// alone, so that the same post at the same age has the same counts on every machine. They grow along a saturating
// curve, differ by platform as real ones do, now and then fall a little, and are marked MetricsSource::simulated.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/time.h"
#include "social/platform.h"

namespace segments {

// From SEGMENTS_SIMULATOR_FAULTS: "rate_limit=0.1,unavailable=0.05,not_found=0.01,latency_ms=20": shares of calls.
struct SimulatorFaults {
  double rate_limit = 0, unavailable = 0, not_found = 0, forbidden = 0;
  int latency_ms = 0;
};
// Error{invalid} says what is allowed.
SimulatorFaults parse_simulator_faults(std::string_view);

Platforms make_simulated_platforms(const SimulatorFaults&, std::function<Millis()> clock = now_ms);

}  // namespace segments
