#include "worker/supervisor.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "base/log.h"
#include "worker/ask_queue.h"

namespace segments {

namespace {

constexpr Millis longest_wait_ms = 200;  // a stop is seen after so long at most
constexpr Millis ending_wait_ms = 5;
constexpr Millis queued_wait_ms = 10;  // while an order waits behind another
constexpr double least_order_us = 10;
constexpr std::int64_t shortest_rest_us = 50, longest_rest_us = 10'000;

}  // namespace

Supervisor::Supervisor(TaskQueue& queue, const WorkerOptions& options, GiveUp give_up)
    : queue_(queue),
      options_(options),
      give_up_(std::move(give_up)),
      slots_wanted_(options.controls ? options.controls->snapshot().slots : std::max(options.slots, 0)),
      // Not from 1: another worker's runs of the same task have folders in the same place.
      next_run_(static_cast<std::int64_t>(random_() >> 2)) {
  assert(!options.work_dir.empty() && !options.slot_command.empty());
}

void Supervisor::run(const std::atomic<Millis>& stop_asked_at) {
  log_info("worker.started", {{"worker", options_.name}, {"slots", slots_wanted_}});
  while (true) {
    now_ = steady_ms();
    obey();
    Millis asked_at = stop_asked_at;
    if (!asked_at) asked_at = stop_asked_at_;
    if (asked_at && !stopping_since_) begin_stop(asked_at);
    fit_slots();
    for (auto& slot : slots_) watch(slot);
    take_told();
    take_leased();
    // What may take leases that have ended comes after what keeps ours.
    check_revoked();
    renew();
    record();
    beat_and_sweep();
    tell_given_up();
    if (stopping_since_) {
      if (drain()) break;
    } else {
      lease();
    }
    for (auto& slot : slots_)
      if (slot.process) slot.process->flush();
    show();
    wait_for_slots();
  }
  show();
  log_info("worker.stopped", {{"worker", options_.name}});
}

void Supervisor::obey() {
  if (!options_.controls) return;
  auto requests = options_.controls->take_requests();
  if (!requests) return;
  slots_wanted_ = requests->slots;
  stop_asked_at_ = requests->stop_asked_at;
  for (auto& [name, limits] : requests->time_limits) {
    if (limits.soft_s || limits.hard_s)
      time_limits_[name] = limits;
    else
      time_limits_.erase(name);
  }
  for (const auto& termination : requests->terminations) terminate(termination);
}

void Supervisor::begin_stop(Millis asked_at) {
  stopping_since_ = asked_at;
  changed_ = true;
  log_info("worker.stopping", {{"worker", options_.name}});
  if (options_.stopping)
    options_.stopping(asked_at + Millis{1000} * (options_.drain_seconds + options_.last_words_seconds));
}

void Supervisor::terminate(const Termination& termination) {
  const auto& ids = termination.task_ids;
  for (auto& slot : slots_) {
    std::vector<std::uint64_t> orders;
    for (auto& run : slot.runs) {
      if (run.ending || std::find(ids.begin(), ids.end(), run.task->id) == ids.end()) continue;
      // In the queue first, so that no outcome of the run comes before it.
      run.revocation_is_told = ask("revoke", [&] { queue_.revoke(run.task->id); });
      orders.push_back(run.order);
    }
    // From the last: to stop the first takes the others back.
    for (auto order = orders.rbegin(); order != orders.rend(); ++order)
      stop_run(slot, *order, Ending::terminated, termination.signal);
  }
}

// True when the worker may end.
bool Supervisor::drain() {
  Millis drained_at = stopping_since_ + Millis{1000} * options_.drain_seconds;
  bool is_over = ended_.empty() && !telling_.is_given() && !leasing_.is_given();
  for (auto& slot : slots_) {
    if (slot.runs.empty()) continue;
    is_over = false;
    if (slot.ending) continue;
    auto order = slot.runs.front().order;
    for (auto& run : take_back_waiting(slot, order)) end(std::move(run), Ending::not_begun);
    if (now_ >= drained_at) stop_run(slot, order, Ending::stopped);
  }
  return is_over || now_ >= drained_at + Millis{1000} * options_.last_words_seconds;
}

void Supervisor::show() {
  if (!options_.controls || !std::exchange(changed_, false)) return;
  WorkerSnapshot snapshot;
  snapshot.started = std::exchange(started_, {});
  snapshot.stopping = stopping_since_ != 0;
  for (const auto& slot : slots_) {
    if (slot.process && slot.ready) snapshot.slot_pids.push_back(slot.process->id());
    for (const auto& run : slot.runs)
      snapshot.tasks.push_back(
          {.task = run.task, .slot = run.slot, .leased_at = run.leased_at, .begun_at = run.begun_at});
  }
  options_.controls->show(std::move(snapshot));
}

// How long the slots have enough to do that they need not be looked at; 0 where one may run dry. To be woken
// by each report would cost as much as a short task.
std::int64_t Supervisor::rest_us() const {
  double rest = std::numeric_limits<double>::max();
  bool is_busy = false;
  for (const auto& slot : slots_) {
    if (!slot.is_usable()) {
      if (slot.process || slot.start_at <= now_) return 0;
      continue;
    }
    if (!flows(slot)) return 0;
    is_busy = true;
    double each = std::max(slot.runs.front().pace->mean_ms() * 1000, least_order_us);
    rest = std::min(rest, each * static_cast<double>(slot.runs.size() - 1) / 2);
  }
  if (!is_busy || rest < shortest_rest_us) return 0;
  return std::min(static_cast<std::int64_t>(rest), longest_rest_us);
}

void Supervisor::wait_for_slots() {
  std::vector<pollfd> sockets;
  std::vector<Slot*> polled;
  Millis wait = longest_wait_ms;
  std::int64_t rest = rest_us();
  if (options_.controls) sockets.push_back({options_.controls->wake_descriptor(), POLLIN, 0});
  for (const auto* errand : {&leasing_, &telling_})
    if (errand->is_given()) sockets.push_back({errand->done_descriptor(), POLLIN, 0});
  if (!stopping_since_ && may_lease() && wanted() > 0)
    wait = std::clamp<Millis>(std::max(lease_at_, queue_rests_until_) - now_, 0, wait);
  for (auto& slot : slots_) {
    if (slot.ending) wait = std::min(wait, ending_wait_ms);
    if (slot.runs.size() > 1) wait = std::min(wait, queued_wait_ms);
    if (!slot.process && !stopping_since_)
      wait = std::min(wait, std::clamp<Millis>(slot.start_at - now_, 1, longest_wait_ms));
    // The end of a socket would be reported at once for as long as its slot is not yet gone.
    if (!slot.process || slot.ending || rest) continue;
    sockets.push_back({slot.process->socket(), POLLIN, 0});
    polled.push_back(&slot);
  }
  std::int64_t nanoseconds = wait ? (rest ? rest * 1000 : wait * 1'000'000) : 0;
  timespec time{.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
  int count = ppoll(sockets.data(), sockets.size(), &time, nullptr);
  now_ = steady_ms();
  if (rest) {
    for (auto& slot : slots_)
      if (slot.is_usable()) read(slot);
    return;
  }
  if (count <= 0) return;
  std::size_t first = sockets.size() - polled.size();
  for (std::size_t i = 0; i < polled.size(); ++i)
    if (sockets[first + i].revents) read(*polled[i]);
}

void run_worker(
    TaskQueue& queue, const WorkerOptions& options, const std::atomic<Millis>& stop_asked_at,
    const std::function<void(const LeasedTask&, const std::string& error, bool revoked)>& give_up) {
  Supervisor(queue, options, give_up).run(stop_asked_at);
}

}  // namespace segments
