// How a job ends well, and the one way in which a completed one fails afterwards: its pieces are stored, but
// the records of them could not be.
#pragma once

#include <string>
#include <vector>

#include "model/video.h"
#include "services/services.h"

namespace segments {

JobProgress completed_progress(const std::string& job_id, const std::vector<std::string>& output_keys);
// FAILED after it was completed: the pieces are there, and only their records are missing.
bool lacks_records(const Video&);
// Of a COMPLETED job; nothing happens to any other.
void mark_records_missing(const Video&, Services&);
// Of a job that lacked them; nothing happens to any other.
void mark_records_stored(const Video&, Services&);

}  // namespace segments
