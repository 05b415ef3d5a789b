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
// Runs tasks until SIGTERM or SIGINT, in `slots` child processes.
int work(const Config&, int slots);
// A worker's child: runs tasks one after another. Descriptor 3 leads to the worker.
int work_in_slot(const Config&);

}  // namespace segments
