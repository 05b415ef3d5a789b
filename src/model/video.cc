#include "model/video.h"

#include <algorithm>
#include <cmath>

namespace segments {
namespace {

VideoStatus status_of(const std::string& stage) {
  if (stage == "completed") return VideoStatus::COMPLETED;
  if (stage == "failed") return VideoStatus::FAILED;
  if (stage == "cancelled") return VideoStatus::CANCELLED;
  return stage == "queued" ? VideoStatus::QUEUED : VideoStatus::PROCESSING;
}

// A final job stays as it ended; only one that failed may be run again, and one that completed may fail after
// all.
bool may_move(const Video& video, VideoStatus to, bool restart) {
  if (!is_final(video.status)) return true;
  return restart && (video.status == VideoStatus::FAILED ||
                     (video.status == VideoStatus::COMPLETED && to == VideoStatus::FAILED));
}

double percentage_of(const JobProgress& progress, double stored) {
  double wanted = std::isfinite(progress.progress_percentage) ? progress.progress_percentage : 0;
  return std::clamp(std::max(wanted, stored), 0.0, 100.0);
}

}  // namespace

std::optional<JobStep> next_step(const Video& video, const JobProgress& wanted, bool restart) {
  JobStep step{.status = status_of(wanted.stage), .progress = wanted, .error_message = std::nullopt};
  if (!may_move(video, step.status, restart)) return std::nullopt;
  step.progress.progress_percentage = percentage_of(wanted, is_final(video.status) ? 0 : video.progress);
  if (step.status == VideoStatus::FAILED) step.error_message = wanted.error_message.value_or(wanted.message);
  return step;
}

}  // namespace segments
