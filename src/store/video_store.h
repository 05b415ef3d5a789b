// Where videos, which are also jobs, are kept. Calls block; any thread may call. Changes of progress leave their
// events (job.progress, job.completed, job.failed, job.cancelled) in the EventLog in the same transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/video.h"

namespace segments {

// A video that waits for its task, and that task's arguments as they were stored with it.
struct WaitingVideo {
  std::string video_id;
  std::string user_id;
  std::string task_arguments;
};

class VideoStore {
 public:
  virtual ~VideoStore() = default;

  // Makes the id the user's own unless somebody else has it, or had it until the video was removed; says whether it is
  // the user's now. With `take_over` any id becomes the user's as long as no video record is stored under it.
  virtual bool claim_video(std::string_view video_id, std::string_view user_id, bool take_over = false) = 0;
  // The owner of the id, whether or not a video is stored under it.
  virtual std::optional<std::string> find_owner(std::string_view video_id) = 0;

  virtual std::optional<Video> find_video(std::string_view video_id) = 0;
  // False when a video is stored under that id or the id is, or was last, another user's; nothing is changed then. The
  // arguments of the task that is to be queued for it are kept with it: whoever dies before queueing it has promised it
  // all the same.
  virtual bool create_video(const Video&, std::string_view task_arguments = "") = 0;
  // QUEUED videos with task arguments that were stored before `before`, by id, from behind `after` on.
  virtual std::vector<WaitingVideo> list_waiting_videos(Millis before, std::string_view after, std::size_t limit) = 0;
  // Newest upload first. Without a user: everybody's (auth mode `none`).
  virtual VideoPage list_videos(const std::optional<std::string>& user_id, std::int64_t limit, std::int64_t offset) = 0;
  // From now on put_segment_from_media() refuses segments of the video, so that a task that still runs adds nothing to
  // what is being removed; until claim_video() or create_video() takes the id again.
  virtual void begin_removal(std::string_view video_id) = 0;
  // The video and its claim; its segments are removed one by one by the caller before. Refuses as begin_removal() does,
  // and the id is free from now on for its last owner alone.
  virtual bool remove_video(std::string_view video_id) = 0;

  // Moves the job on and appends its event with `progress` as data. Refused (false) when the job is absent or final,
  // unless `restart`, which a new run of a FAILED job begins with, and which lets a COMPLETED one fail after all (and
  // nothing else). A percentage below the stored one is raised to it, but for the first of a restart.
  // stage completed/failed/cancelled set the status COMPLETED/FAILED/CANCELLED; queued sets QUEUED; others PROCESSING.
  virtual bool put_progress(const JobProgress& progress, bool restart = false) = 0;
  // What the work found out; absent values stay as they are.
  virtual bool update_video(std::string_view video_id, std::optional<double> duration,
                            const std::optional<std::vector<std::string>>& output_keys,
                            const std::optional<std::string>& task_id) = 0;
};

}  // namespace segments
