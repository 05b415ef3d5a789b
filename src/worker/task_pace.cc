#include "worker/task_pace.h"

#include <algorithm>

namespace segments {

namespace {

constexpr int runs_to_know = 4;
// Longer ones gain nothing worth the waiting: to be asked for, placed and told of singly costs 0.2 ms of CPU.
constexpr double short_ms = 20;
constexpr double queued_ms = 40;  // of work that a slot may hold, the run that is under way included
constexpr double weight_of_newest = 1.0 / 8;
constexpr std::size_t most_names = 2000;

}  // namespace

void TaskPace::measure(double milliseconds) {
  milliseconds = std::max(milliseconds, 0.0);
  mean_ms_ = measured_ ? mean_ms_ + (milliseconds - mean_ms_) * weight_of_newest : milliseconds;
  measured_ = std::min(measured_ + 1, runs_to_know);
  bool is_short = may_be_short_ && measured_ >= runs_to_know && mean_ms_ < short_ms;
  depth_ =
      is_short ? static_cast<int>(std::min<double>(longest_queue, queued_ms / std::max(mean_ms_, 1e-3))) : 1;
}

TaskPace& TaskPaces::of(const std::string& name) {
  if (auto found = paces_.find(name); found != paces_.end()) return found->second;
  return paces_.size() < most_names ? paces_.try_emplace(name, name).first->second : others_;
}

}  // namespace segments
