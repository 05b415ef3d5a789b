// The objects that remote control shows: tasks, the worker's figures, its queues.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "celery/json.h"
#include "celery/message.h"

namespace segments::celery {

struct TaskPosition {
  std::string node;
  std::optional<Millis> started;  // while it runs
  bool acknowledged = false;
  std::optional<std::int64_t> pid;
};
// `info` of active, reserved, scheduled and query_task. `safe`: arguments as their repr.
Json task_info(const TaskMessage&, const TaskPosition&, bool safe = false);
Json scheduled_item(const TaskMessage&, const TaskPosition&);  // the message's eta is set

struct WorkerStats {
  std::map<std::string, std::int64_t> started;  // by the task's name
  std::int64_t pid = 0, clock = 0, uptime_s = 0, prefetch_count = 0;
  std::vector<std::int64_t> slot_pids;
  std::string redis_host;
  int redis_port = 6379, redis_database = 0;
  bool redis_tls = false;
};
Json stats_payload(const WorkerStats&);  // getrusage() of this process goes into it
Json active_queue(std::string_view queue);

}  // namespace segments::celery
