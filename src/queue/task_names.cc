#include "queue/task_names.h"

#include "base/error.h"

namespace segments {

const std::vector<TaskLimits>& task_limits() {
  constexpr int minute = 60, hour = 60 * minute;
  static const std::vector<TaskLimits> limits{
      // The long ones give way: a job that is shown as completed is not to wait for its records behind the next
      // videos, nor a reader for one post's numbers.
      {process_video_task, 3, 12 * hour, 3},
      {create_segments_task, 5, 2 * hour, 0},
      {sync_metrics_task, 5, 10 * minute, 0},
      {batch_sync_task, 3, 1 * hour, 3},
  };
  return limits;
}

const TaskLimits* find_task_limits(std::string_view name) {
  for (const auto& limits : task_limits())
    if (name == limits.name) return &limits;
  return nullptr;
}

NewTask make_task(std::string_view name, std::string arguments_json, std::string_view user_id) {
  const auto* limits = find_task_limits(name);
  if (!limits) throw Error(ErrorKind::internal, "There is no task named " + std::string(name) + ".");
  NewTask task;
  task.name = name;
  task.arguments = std::move(arguments_json);
  task.user_id = user_id;
  task.max_retries = limits->max_retries;
  task.time_limit_s = limits->time_limit_s;
  task.priority = limits->priority;
  return task;
}

std::string process_task_id(std::string_view video_id) {
  return "process-" + std::string(video_id);
}

NewTask make_process_task(std::string_view video_id, std::string arguments_json, std::string_view user_id) {
  NewTask task = make_task(process_video_task, std::move(arguments_json), user_id);
  task.id = process_task_id(video_id);
  return task;
}

std::string create_segments_task_id(std::string_view video_id) {
  return "segments-" + std::string(video_id);
}

}  // namespace segments
