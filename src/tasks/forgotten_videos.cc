#include "tasks/forgotten_videos.h"

#include <exception>
#include <string>

#include "base/log.h"
#include "queue/task_names.h"
#include "tasks/run_task.h"

namespace segments {

namespace {

// One that waits for so long may have lost its message: to queue it again does nothing where it has not.
bool may_be_lost(const TaskState& task, Millis now) {
  constexpr Millis long_ms = 3'600'000;
  if (task.status != TaskStatus::PENDING && task.status != TaskStatus::RETRY) return false;
  return parse_time(task.created_at).value_or(now) + long_ms < now;
}

bool has_ended_badly(const TaskState& task) {
  return task.status == TaskStatus::FAILURE || task.status == TaskStatus::REVOKED;
}

// Of a task that ended in another program's worker nobody is told but whoever asks.
void tell_of_end(const NewTask& task, const TaskState& ended, Services& services) {
  LeasedTask leased{.id = task.id, .name = task.name, .arguments = task.arguments, .user_id = task.user_id};
  try {
    give_up_task(leased, services, ended.error.value_or("The task failed."),
                 ended.status == TaskStatus::REVOKED);
    log_warning("video.given_up_late", {{"task_id", task.id}, {"status", name_of(ended.status)}});
  } catch (const std::exception& error) {
    // The other videos are not to wait for it; the next round comes to it again.
    log_warning("video.give_up_unfinished", {{"task_id", task.id}, {"error", error.what()}});
  }
}

}  // namespace

int queue_forgotten_videos(Services& services, Millis now) {
  constexpr Millis usual_delay_ms = 5'000;  // of whoever completes the upload right now
  constexpr std::size_t page = 200;
  int queued = 0;
  std::string after;
  while (true) {
    auto videos = services.videos.list_waiting_videos(now - usual_delay_ms, after, page);
    for (const auto& video : videos) {
      NewTask task = make_process_task(video.video_id, video.task_arguments, video.user_id);
      auto known = services.queue.find_task(task.id);
      if (known && has_ended_badly(*known)) tell_of_end(task, *known, services);
      if (known && !may_be_lost(*known, now)) continue;
      services.queue.enqueue(task);
      if (known) continue;  // the queue says itself whether it did anything
      ++queued;
      log_warning("video.queued_late", {{"video_id", video.video_id}, {"task_id", task.id}});
    }
    if (videos.size() < page) return queued;
    after = videos.back().video_id;
  }
}

}  // namespace segments
