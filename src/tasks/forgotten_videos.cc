#include "tasks/forgotten_videos.h"

#include <string>

#include "base/log.h"
#include "queue/task_names.h"

namespace segments {

int queue_forgotten_videos(Services& services, Millis now) {
  constexpr Millis usual_delay_ms = 5'000;  // of whoever completes the upload right now
  constexpr std::size_t page = 200;
  int queued = 0;
  std::string after;
  while (true) {
    auto videos = services.videos.list_waiting_videos(now - usual_delay_ms, after, page);
    for (const auto& video : videos) {
      std::string id = process_task_id(video.video_id);
      if (services.queue.find_task(id)) continue;
      NewTask task = make_task(process_video_task, video.task_arguments, video.user_id);
      task.id = id;
      services.queue.enqueue(task);
      ++queued;
      log_warning("video.queued_late", {{"video_id", video.video_id}, {"task_id", id}});
    }
    if (videos.size() < page) return queued;
    after = videos.back().video_id;
  }
}

}  // namespace segments
