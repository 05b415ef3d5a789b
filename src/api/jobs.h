// Jobs: how the cutting of a video stands. A job's id is its video's id.
#pragma once

#include "http/request.h"
#include "http/response.h"
#include "services/services.h"

namespace segments {

Response get_job_status(const Request&, Services&);  // GET /api/jobs/{job_id}/status
Response cancel_job(const Request&, Services&);      // POST /api/jobs/{job_id}/cancel

}  // namespace segments
