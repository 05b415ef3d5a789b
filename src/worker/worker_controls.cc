#include "worker/worker_controls.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace segments {

namespace {

int possible(int slots) {
  return std::clamp(slots, 0, most_slots);
}

}  // namespace

WorkerControls::WorkerControls(int slots) : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_ < 0)
    throw Error(ErrorKind::unavailable, "A worker's controls cannot be had: too many files are open.");
  requests_.slots = snapshot_.slots = possible(slots);
}

WorkerControls::~WorkerControls() {
  close(wake_);
}

WorkerSnapshot WorkerControls::snapshot() const {
  std::lock_guard lock(mutex_);
  return snapshot_;
}

void WorkerControls::set_slots(int slots) {
  std::lock_guard lock(mutex_);
  requests_.slots = snapshot_.slots = possible(slots);
  wake();
}

int WorkerControls::add_slots(int by) {
  std::lock_guard lock(mutex_);
  requests_.slots = snapshot_.slots = possible(snapshot_.slots + std::clamp(by, -most_slots, most_slots));
  wake();
  return snapshot_.slots;
}

void WorkerControls::terminate(std::vector<std::string> task_ids, int signal) {
  // What is no signal must not leave the run alone.
  if (signal <= 0 || signal > SIGRTMAX) signal = SIGTERM;
  std::lock_guard lock(mutex_);
  requests_.terminations.push_back({std::move(task_ids), signal});
  wake();
}

void WorkerControls::set_time_limits(std::string_view task_name, TimeLimits limits) {
  std::lock_guard lock(mutex_);
  requests_.time_limits.emplace_back(task_name, limits);
  wake();
}

void WorkerControls::stop() {
  std::lock_guard lock(mutex_);
  if (!requests_.stop_asked_at) requests_.stop_asked_at = steady_ms();
  wake();
}

void WorkerControls::wake() {
  if (!std::exchange(requested_, true)) eventfd_write(wake_, 1);
}

std::optional<WorkerRequests> WorkerControls::take_requests() {
  std::lock_guard lock(mutex_);
  if (!std::exchange(requested_, false)) return std::nullopt;
  eventfd_t ignored = 0;
  eventfd_read(wake_, &ignored);
  WorkerRequests taken{.slots = requests_.slots,
                       .terminations = std::exchange(requests_.terminations, {}),
                       .time_limits = std::exchange(requests_.time_limits, {}),
                       .stop_asked_at = requests_.stop_asked_at};
  return taken;
}

void WorkerControls::show(WorkerSnapshot newest) {
  std::lock_guard lock(mutex_);
  newest.slots = snapshot_.slots;
  for (const auto& [name, count] : newest.started) snapshot_.started[name] += count;
  newest.started.swap(snapshot_.started);
  // What was shown before is destroyed with the argument, after the lock is left: its tasks may be large.
  std::swap(snapshot_, newest);
}

}  // namespace segments
