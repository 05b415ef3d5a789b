// The program's commands. Each answers the process's exit code: 0, 1 where it could not, 2 for a wrong call.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"

namespace segments {

// Everything after the program's name.
int run_command(const std::vector<std::string>& arguments);

// Serves until SIGTERM or SIGINT.
int serve(const Config&);
struct WorkOptions {
  int slots = 2;                         // child processes, a task in each
  std::vector<std::string> queues = {};  // of the queue `redis`; empty: SEGMENTS_CELERY_QUEUE
  std::string hostname = {};  // "name@host" as Celery's nodes are called; empty: segments@<this host>
  bool task_events = false;   // sent from the start on
  bool has_beat = false;      // does the periodic work besides
};
// Runs tasks until SIGTERM or SIGINT.
int work(const Config&, const WorkOptions&);
// A worker's child: runs tasks one after another. Descriptor 3 leads to the worker.
int work_in_slot(const Config&);

}  // namespace segments
