// What happened, as the event log keeps it and both event streams send it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"

namespace segments {

struct Event {
  std::int64_t id = 0;  // given by the log; grows in the order in which events become visible
  std::string type;     // segment.created segment.updated segment.deleted social.synced job.progress
                        // job.completed job.failed job.cancelled
  std::string user_id;
  std::optional<std::string> job_id;  // with the job.* types
  std::string data;                   // JSON text
  Millis at = 0;
};

}  // namespace segments
