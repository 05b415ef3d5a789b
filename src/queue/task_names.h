// The tasks' names on the wire and the limits of each. Whoever queues one, here or in another program's
// place, takes them from here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "queue/task_queue.h"

namespace segments {

inline constexpr const char* process_video_task = "tasks.process_video_task";
inline constexpr const char* create_segments_task = "tasks.create_segments_from_video_task";
inline constexpr const char* sync_metrics_task = "tasks.sync_social_media_metrics_task";
inline constexpr const char* batch_sync_task = "tasks.batch_sync_social_media_task";

struct TaskLimits {
  const char* name;
  int max_retries;
  int time_limit_s;
  int priority = 0;  // as NewTask's
};

const std::vector<TaskLimits>& task_limits();
const TaskLimits* find_task_limits(std::string_view name);
// A NewTask with its name's limits. Throws Error{internal} for an unknown name.
NewTask make_task(std::string_view name, std::string arguments_json, std::string_view user_id);

// The one task that cuts a video: however often it is queued, it runs once.
std::string process_task_id(std::string_view video_id);
NewTask make_process_task(std::string_view video_id, std::string arguments_json, std::string_view user_id);
std::string create_segments_task_id(std::string_view video_id);

}  // namespace segments
