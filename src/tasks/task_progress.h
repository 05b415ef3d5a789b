// How far a task is, as its queue shows it: a courtesy. Where the queue does not take it nothing is lost, and
// the run goes on.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "queue/task_queue.h"

namespace segments {

class TaskProgress {
 public:
  TaskProgress(TaskQueue& queue, std::string task_id) : queue_(queue), task_id_(std::move(task_id)) {}

  // Never throws.
  void show(double percent, std::string_view message);

 private:
  TaskQueue& queue_;
  const std::string task_id_;
  Millis rests_until_ = 0;
};

}  // namespace segments
