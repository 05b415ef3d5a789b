// The event of a job's progress, which stores append beside it.
#pragma once

#include <string>

#include "base/time.h"
#include "describe/encode.h"
#include "model/event.h"
#include "model/video.h"

namespace segments {

inline Event make_job_event(const std::string& user_id, const JobStep& step, Millis now) {
  return {.id = 0,
          .type = is_final(step.status) ? "job." + step.progress.stage : "job.progress",
          .user_id = user_id,
          .job_id = step.progress.job_id,
          .data = encode(step.progress),
          .at = now};
}

}  // namespace segments
