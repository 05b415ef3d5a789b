// The tasks by their wire names, and how one is run. A task is a pure function of its arguments and the
// services; it may be run again at any time.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/task_names.h"
#include "services/services.h"

namespace segments {

struct TaskContext {
  std::string task_id;
  int retries = 0;
  int max_retries = 0;
  std::string work_dir;  // this run's own folder, empty; removed afterwards, also after a kill
};

struct TaskDefinition {
  const char* name;  // "tasks.process_video_task"
  // Names of the parameters in their order, for producers that send positional arguments.
  std::vector<const char*> parameters;
  // Takes a JSON object of arguments, gives the result as JSON. Errors of the kinds unavailable, rate_limited
  // and internal are retried with back-off, others fail at once.
  std::string (*run)(std::string_view arguments, Services&, const TaskContext&);
  // Called when the task is given up (failed for good, or revoked): marks what users look at (the job) as
  // failed. May be null.
  void (*give_up)(std::string_view arguments, Services&, const std::string& error, bool revoked);
};

const std::vector<TaskDefinition>& task_definitions();
const TaskDefinition* find_task_definition(std::string_view name);

}  // namespace segments
