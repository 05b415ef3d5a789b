// Jobs: how the cutting of a video stands. A job's id is its video's id.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/request.h"
#include "http/response.h"
#include "model/video.h"
#include "services/services.h"

namespace segments {

struct JobStatus {
  std::string job_id;
  std::string video_id;
  VideoStatus status = VideoStatus::QUEUED;
  double progress = 0;  // 0-100
  std::string stage;
  std::optional<std::string> message;
  std::vector<std::string> output_urls;  // presigned, in the order of the pieces
  std::optional<std::int64_t> total_segments;
  std::optional<std::string> error_message;
  std::optional<std::string> task_id;
  std::string created_at;
  std::string updated_at;
};
BOOST_DESCRIBE_STRUCT(JobStatus, (),
                      (job_id, video_id, status, progress, stage, message, output_urls, total_segments,
                       error_message, task_id, created_at, updated_at))

// Closes the job and takes its tasks back. False when it is absent or over.
bool stop_job(Services&, const Video&, std::string message);

Response get_job_status(const Request&, Services&);  // GET /api/jobs/{job_id}/status
Response cancel_job(const Request&, Services&);      // POST /api/jobs/{job_id}/cancel

}  // namespace segments
