// One run of a leased task, from its name to how it ended. The one place where what tasks throw is caught.
#pragma once

#include <string>

#include "queue/task_outcome.h"
#include "queue/task_queue.h"
#include "services/services.h"

namespace segments {

// Never throws. `work_dir` is this run's own folder.
TaskOutcome run_task(const LeasedTask&, Services&, const std::string& work_dir);
// Tells a task that was given up (failed for good, or revoked), so that it marks what users look at. Never
// throws.
void give_up_task(const LeasedTask&, Services&, const std::string& error, bool revoked);

}  // namespace segments
