#include "queue/task_queue.h"

namespace segments {

std::vector<bool> TaskQueue::end_leases(std::span<const LeaseEnd> ends) {
  std::vector<bool> taken;
  taken.reserve(ends.size());
  for (const auto& end : ends) {
    switch (end.ending) {
      case LeaseEnding::finish: taken.push_back(finish(end.task, end.text)); break;
      case LeaseEnding::retry: taken.push_back(retry(end.task, end.text, end.not_before)); break;
      case LeaseEnding::fail:
      case LeaseEnding::time_limit:
      case LeaseEnding::soft_time_limit:
      case LeaseEnding::worker_lost: taken.push_back(fail(end.task, end.text)); break;
      case LeaseEnding::hand_back: taken.push_back(hand_back(end.task)); break;
    }
  }
  return taken;
}

std::vector<bool> TaskQueue::renew_all(std::span<const LeasedTask> tasks, int lease_ms) {
  std::vector<bool> kept;
  kept.reserve(tasks.size());
  for (const auto& task : tasks) kept.push_back(renew(task, lease_ms));
  return kept;
}

}  // namespace segments
