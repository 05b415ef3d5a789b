// What a node is told of itself at its start.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "base/time.h"
#include "queue/task_names.h"

namespace segments::celery {

struct NodeOptions {
  bool task_events = false;                       // from the start on (-E)
  std::vector<TaskLimits> tasks = task_limits();  // which are registered here
  // More for `inspect conf`, name and value; what is secret by its name or is a URL's password is not shown.
  std::vector<std::pair<std::string, std::string>> settings = {};
  std::string version = "1.0";
  Millis heartbeat_ms = 2'000;
  Metrics* metrics = nullptr;
};

}  // namespace segments::celery
