// A video that was uploaded and is cut, which is also its job: the job's id is the video's id.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "describe/rule.h"

namespace segments {

enum class VideoStatus { QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED };
BOOST_DESCRIBE_ENUM(VideoStatus, QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED)
inline bool is_final(VideoStatus s) {
  return s == VideoStatus::COMPLETED || s == VideoStatus::FAILED || s == VideoStatus::CANCELLED;
}

struct Video {
  std::string video_id;
  std::string user_id;
  std::string title;
  std::string filename;
  std::int64_t file_size = 0;  // bytes
  std::string content_type = "video/mp4";
  std::string upload_date;  // RFC 3339 UTC
  std::string updated_at;
  std::optional<double> duration;           // whole seconds, rounded; null until probed
  std::string bucket_location;              // the upload's object key
  std::vector<std::string> output_s3_urls;  // object keys of the pieces, in their order
  std::vector<std::string> tags;
  VideoStatus status = VideoStatus::QUEUED;
  double progress = 0;  // 0-100; never falls within one run
  std::string stage = "queued";
  std::optional<std::string> message;        // what is being done, for people
  std::optional<std::string> error_message;  // one plain sentence, with FAILED
  std::optional<std::string> task_id;        // the process_video_task of this video
  bool operator==(const Video&) const = default;
};
BOOST_DESCRIBE_STRUCT(Video, (),
                      (video_id, user_id, title, filename, file_size, content_type, upload_date, updated_at,
                       duration, bucket_location, output_s3_urls, tags, status, progress, stage, message,
                       error_message, task_id))

// The data of a `progress` event of a job's stream, as the client in use reads it.
struct JobProgress {
  std::string job_id;
  std::string stage;  // queued extracting segmenting processing_segment uploading completed failed cancelled
  std::string message;
  std::optional<std::int64_t> current_segment;
  std::optional<std::int64_t> total_segments;
  double progress_percentage = 0;
  std::string timestamp;
  std::optional<std::vector<std::string>> output_urls;  // object keys, when completed
  std::optional<std::string> error_message;
};
BOOST_DESCRIBE_STRUCT(JobProgress, (),
                      (job_id, stage, message, current_segment, total_segments, progress_percentage,
                       timestamp, output_urls, error_message))
inline bool is_final_stage(const std::string& s) {
  return s == "completed" || s == "failed" || s == "cancelled";
}

// What a job's progress makes of its video: the status, the progress as it is stored and told, and with
// FAILED the sentence why.
struct JobStep {
  VideoStatus status = VideoStatus::QUEUED;
  JobProgress progress;
  std::optional<std::string> error_message;
};
// std::nullopt where the job is final, unless `restart` (VideoStore::put_progress). A percentage below the
// video's is raised to it within one run.
std::optional<JobStep> next_step(const Video&, const JobProgress& wanted, bool restart);

struct VideoPage {
  std::vector<Video> videos;
  std::int64_t total_count = 0;
};

}  // namespace segments
