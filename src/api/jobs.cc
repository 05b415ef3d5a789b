#include "api/jobs.h"

#include "api/handlers.h"
#include "api/present.h"
#include "base/log.h"
#include "queue/task_names.h"

namespace segments {

namespace {

Video require_job(const Request& request, Services& services) {
  std::string id(path_id(request, "job_id", "job"));
  auto video = services.videos.find_video(id);
  if (!video || !may_see(request, video->user_id)) throw not_found("job", id);
  return *video;
}

Response tell(const Video& video, const Request& request, Services& services) {
  JobStatus job;
  job.job_id = job.video_id = video.video_id;
  job.status = video.status;
  job.progress = video.progress;
  job.stage = video.stage;
  job.message = video.message;
  for (const auto& key : video.output_s3_urls) job.output_urls.push_back(steady_url(request, services, key));
  if (!job.output_urls.empty()) job.total_segments = static_cast<std::int64_t>(job.output_urls.size());
  job.error_message = video.error_message;
  job.task_id = video.task_id;
  job.created_at = video.upload_date;
  job.updated_at = video.updated_at;
  return answer(job);
}

}  // namespace

Response get_job_status(const Request& request, Services& services) {
  return tell(require_job(request, services), request, services);
}

bool stop_job(Services& services, const Video& video, std::string message) {
  JobProgress cancelled;
  cancelled.job_id = video.video_id;
  cancelled.stage = "cancelled";
  cancelled.message = std::move(message);
  cancelled.progress_percentage = video.progress;
  cancelled.timestamp = now_text();
  // The state first: a worker that is killed in between finds the job closed and does not begin again.
  bool stopped = services.videos.put_progress(cancelled);
  services.queue.revoke(process_task_id(video.video_id));
  return stopped;
}

Response cancel_job(const Request& request, Services& services) {
  Video video = require_job(request, services);
  if (is_final(video.status) || !stop_job(services, video, "Cancelled")) {
    auto now = require_job(request, services);
    throw Error(ErrorKind::conflict, std::string("The job is over: it is ") + name_of(now.status) + ".");
  }
  log_info("job.cancelled", {{"job_id", video.video_id}, {"user", request.user}});
  return tell(require_job(request, services), request, services);
}

}  // namespace segments
