// Where videos, which are also jobs, are kept. Calls block; any thread may call. Changes of progress leave their
// events (job.progress, job.completed, job.failed, job.cancelled) in the EventLog in the same transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/video.h"

namespace segments {

class VideoStore {
 public:
  virtual ~VideoStore() = default;

  // Makes the id the user's own unless somebody has it; says whether it is the user's now. With `take_over`
  // an id owned by anyone becomes the user's as long as no video record is stored under it.
  virtual bool claim_video(std::string_view video_id, std::string_view user_id, bool take_over = false) = 0;
  // The owner of the id, whether or not a video is stored under it.
  virtual std::optional<std::string> find_owner(std::string_view video_id) = 0;

  virtual std::optional<Video> find_video(std::string_view video_id) = 0;
  // False when a video is stored under that id or the id is another user's; nothing is changed then.
  virtual bool create_video(const Video&) = 0;
  // Newest upload first. Without a user: everybody's (auth mode `none`).
  virtual VideoPage list_videos(const std::optional<std::string>& user_id, std::int64_t limit, std::int64_t offset) = 0;
  // The video and its claim; its segments are removed one by one by the caller before.
  virtual bool remove_video(std::string_view video_id) = 0;

  // Moves the job on and appends its event with `progress` as data. Refused (false) when the job is absent or final,
  // unless `restart`, which a new run of a FAILED job begins with. A percentage below the stored one is raised to it.
  // stage completed/failed/cancelled set the status COMPLETED/FAILED/CANCELLED; queued sets QUEUED; others PROCESSING.
  virtual bool put_progress(const JobProgress& progress, bool restart = false) = 0;
  // What the work found out; absent values stay as they are.
  virtual bool update_video(std::string_view video_id, std::optional<double> duration,
                            const std::optional<std::vector<std::string>>& output_keys,
                            const std::optional<std::string>& task_id) = 0;
};

}  // namespace segments
