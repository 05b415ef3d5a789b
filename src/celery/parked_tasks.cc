#include "celery/parked_tasks.h"

namespace segments::celery {

bool ParkedTasks::remove(const std::string& id) {
  auto found = tasks_.find(id);
  if (found == tasks_.end()) return false;
  due_times_.erase({found->second.due, id});
  tasks_.erase(found);
  return true;
}

void ParkedTasks::add(ParkedTask task) {
  std::lock_guard lock(mutex_);
  remove(task.id);
  due_times_.emplace(task.due, task.id);
  auto id = task.id;
  tasks_.emplace(std::move(id), std::move(task));
}

bool ParkedTasks::take(const std::string& id) {
  std::lock_guard lock(mutex_);
  return remove(id);
}

void ParkedTasks::prune(Millis before) {
  std::lock_guard lock(mutex_);
  while (!due_times_.empty() && due_times_.begin()->first < before) {
    tasks_.erase(due_times_.begin()->second);
    due_times_.erase(due_times_.begin());
  }
}

std::vector<ParkedTask> ParkedTasks::list(Millis now, const std::function<bool(const ParkedTask&)>& wanted,
                                          std::size_t most) const {
  std::vector<ParkedTask> tasks;
  std::lock_guard lock(mutex_);
  for (auto entry = due_times_.lower_bound({now + 1, ""}); entry != due_times_.end() && tasks.size() < most;
       ++entry)
    if (const auto& task = tasks_.at(entry->second); !wanted || wanted(task)) tasks.push_back(task);
  return tasks;
}

std::vector<ParkedTask> ParkedTasks::find(Millis now, std::span<const std::string> ids) const {
  std::vector<ParkedTask> tasks;
  std::lock_guard lock(mutex_);
  for (const auto& id : ids)
    if (auto found = tasks_.find(id); found != tasks_.end() && found->second.due > now)
      tasks.push_back(found->second);
  return tasks;
}

}  // namespace segments::celery
