#include "tasks/job_end.h"

#include "base/log.h"
#include "base/time.h"

namespace segments {
namespace {

constexpr double whole_percent = 100;

}  // namespace

JobProgress completed_progress(const std::string& job_id, const std::vector<std::string>& output_keys) {
  auto count = static_cast<std::int64_t>(output_keys.size());
  return {.job_id = job_id,
          .stage = "completed",
          .message = count == 1 ? "One segment is ready" : std::to_string(count) + " segments are ready",
          .current_segment = count,
          .total_segments = count,
          .progress_percentage = whole_percent,
          .timestamp = now_text(),
          .output_urls = output_keys,
          .error_message = {}};
}

bool lacks_records(const Video& video) {
  // A run that fails before it completes has not come to the whole, and shows no pieces.
  return video.status == VideoStatus::FAILED && video.progress >= whole_percent &&
         !video.output_s3_urls.empty();
}

void mark_records_missing(const Video& video, Services& services) {
  if (video.status != VideoStatus::COMPLETED) return;
  JobProgress end;
  end.job_id = video.video_id;
  end.stage = "failed";
  end.message = "The clips were cut, but their records could not be stored.";
  end.error_message = end.message;
  end.progress_percentage = whole_percent;
  end.timestamp = now_text();
  if (services.videos.put_progress(end, true))
    log_warning("video.without_records", {{"video_id", video.video_id}});
}

void mark_records_stored(const Video& video, Services& services) {
  if (lacks_records(video))
    services.videos.put_progress(completed_progress(video.video_id, video.output_s3_urls), true);
}

}  // namespace segments
