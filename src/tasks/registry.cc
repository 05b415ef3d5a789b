#include "tasks/registry.h"

#include "tasks/batch_sync_social_media.h"
#include "tasks/create_segments_from_video.h"
#include "tasks/process_video.h"
#include "tasks/sync_social_media_metrics.h"

namespace segments {
namespace {

template <Described T>
std::vector<const char*> parameters_of() {
  std::vector<const char*> names;
  for_each_member<T>([&](const char* name, auto) { names.push_back(name); });
  return names;
}

}  // namespace

const std::vector<TaskDefinition>& task_definitions() {
  static const std::vector<TaskDefinition> definitions{
      {process_video_task, parameters_of<ProcessVideo>(), process_video, give_up_video},
      {create_segments_task, parameters_of<CreateSegments>(), create_segments_from_video, give_up_segments},
      {sync_metrics_task, parameters_of<SyncMetrics>(), sync_social_media_metrics, nullptr},
      {batch_sync_task, parameters_of<BatchSync>(), batch_sync_social_media, nullptr},
  };
  return definitions;
}

const TaskDefinition* find_task_definition(std::string_view name) {
  for (const auto& definition : task_definitions())
    if (name == definition.name) return &definition;
  return nullptr;
}

}  // namespace segments
