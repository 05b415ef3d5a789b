// How long the runs of each task take, as measured, and with it how many orders of it a slot may be sent
// before it has done the first. One thread.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>

namespace segments {

class TaskPace {
 public:
  static constexpr int longest_queue = 64;

  explicit TaskPace(std::string name, bool may_be_short = true)
      : name_(std::move(name)), may_be_short_(may_be_short) {}

  void measure(double milliseconds);
  const std::string& name() const { return name_; }
  double mean_ms() const { return mean_ms_; }
  // Orders that a slot may hold. 1: nothing may wait behind it, nor it behind anything.
  int depth() const { return depth_; }
  bool is_short() const { return depth_ > 1; }

 private:
  std::string name_;
  bool may_be_short_;
  int measured_ = 0;
  int depth_ = 1;
  double mean_ms_ = 0;  // the newest run weighs an eighth
};

class TaskPaces {
 public:
  // Stays where it is. Names come from outside: past a bound all new ones share one pace, which is never
  // short.
  TaskPace& of(const std::string& name);

 private:
  std::unordered_map<std::string, TaskPace> paces_;
  TaskPace others_{"others", false};
};

}  // namespace segments
