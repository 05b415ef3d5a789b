#include "tasks/registry.h"

#include "tasks/batch_sync_social_media.h"
#include "tasks/create_segments_from_video.h"
#include "tasks/process_video.h"
#include "tasks/sync_social_media_metrics.h"

namespace segments {
namespace {

constexpr int minute = 60, hour = 60 * minute;

template <Described T>
std::vector<const char*> parameters_of() {
  std::vector<const char*> names;
  for_each_member<T>([&](const char* name, auto) { names.push_back(name); });
  return names;
}

}  // namespace

const std::vector<TaskDefinition>& task_definitions() {
  static const std::vector<TaskDefinition> definitions{
      {"tasks.process_video_task", parameters_of<ProcessVideo>(), 3, 12 * hour, process_video, give_up_video},
      {"tasks.create_segments_from_video_task", parameters_of<CreateSegments>(), 5, 2 * hour,
       create_segments_from_video, nullptr},
      {"tasks.sync_social_media_metrics_task", parameters_of<SyncMetrics>(), 5, 10 * minute,
       sync_social_media_metrics, nullptr},
      {"tasks.batch_sync_social_media_task", parameters_of<BatchSync>(), 3, 1 * hour, batch_sync_social_media,
       nullptr},
  };
  return definitions;
}

const TaskDefinition* find_task_definition(std::string_view name) {
  for (const auto& definition : task_definitions())
    if (name == definition.name) return &definition;
  return nullptr;
}

NewTask make_task(std::string_view name, std::string arguments_json, std::string_view user_id) {
  const auto* definition = find_task_definition(name);
  if (!definition) throw Error(ErrorKind::internal, "There is no task named " + std::string(name) + ".");
  NewTask task;
  task.name = name;
  task.arguments = std::move(arguments_json);
  task.user_id = user_id;
  task.max_retries = definition->max_retries;
  task.time_limit_s = definition->time_limit_s;
  return task;
}

}  // namespace segments
