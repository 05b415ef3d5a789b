#include "tasks/task_progress.h"

#include <exception>

#include "base/log.h"

namespace segments {

void TaskProgress::show(double percent, std::string_view message) {
  // Each call may wait for a queue that does not answer, and a run has many steps.
  constexpr Millis rest_ms = 5'000;
  if (steady_ms() < rests_until_) return;
  try {
    queue_.put_task_progress(task_id_, percent, message);
  } catch (const std::exception& error) {
    rests_until_ = steady_ms() + rest_ms;
    log_warning("task.progress_not_shown", {{"task_id", task_id_}, {"error", error.what()}});
  }
}

}  // namespace segments
