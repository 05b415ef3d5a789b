// Runs: which slot gets them, how they begin and are ended.
#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "worker/run_folder.h"
#include "worker/supervisor.h"

namespace segments {

namespace {

constexpr Millis grace_ms = 400;        // between asking a group to end and killing it
constexpr Millis soft_grace_ms = 2000;  // at a soft time limit, which leaves time to tidy up
// On the way to a slot at once: it must never be that neither side reads because it waits to write.
constexpr std::size_t most_bytes = 64 << 10;
constexpr int misses_allowed = 3;
constexpr std::size_t most_misses_known = 1000;

}  // namespace

// Whether an order that is sent behind others is begun soon.
bool Supervisor::flows(const Slot& slot) const {
  if (!slot.is_usable() || slot.runs.empty()) return false;
  const Run& first = slot.runs.front();
  return first.pace->is_short() && now_ - first.begun < patience_ms;
}

// A free one; else, for what is known to be short, the one with the least to do where all that is short, too.
Slot* Supervisor::find_slot(const Run& run) {
  Slot* found = nullptr;
  for (auto& slot : slots_) {
    if (slot.is_free()) return &slot;
    if (static_cast<int>(slot.runs.size()) >= run.pace->depth() || !flows(slot)) continue;
    if (found && found->runs.size() <= slot.runs.size()) continue;
    // Those taken back, too, have a place on the board until the slot has passed them.
    if (slot.process->orders_sent() - slot.runs.front().order >= SlotBoard::capacity - 1) continue;
    std::size_t bytes = run.bytes;
    for (const auto& other : slot.runs) bytes += other.bytes;
    if (bytes <= most_bytes) found = &slot;
  }
  return found;
}

// To a slot, or back to the queue.
void Supervisor::place(Run run) {
  run.begun = run.begun_at = 0;
  run.slot = 0;
  // The longest part, and an order is never much longer: JSON in JSON doubles its quotes.
  run.bytes = run.task->arguments.size() * 2 + 512;
  Slot* slot = stopping_since_ ? nullptr : find_slot(run);
  if (!slot) return end(std::move(run), Ending::not_begun);
  if (run.folder.empty()) run.folder = run_folder(options_.work_dir, run.task->id, next_run_++);
  run.order = slot->process->put(make_order(*run.task, run.folder));
  if (!run.order) {
    run.outcome = {.ending = TaskEnding::failure, .error = "The arguments of the task are too large."};
    return end(std::move(run), Ending::reported);
  }
  run.slot = slot->process->id();
  slot->runs.push_back(std::move(run));
  changed_ = true;
  if (slot->runs.size() == 1) begin(slot->runs.front());
}

// The first of its slot's: the slot does it now.
void Supervisor::begin(Run& run) {
  run.begun = now_;
  run.begun_at = now_ms();
  if (options_.controls) ++started_[run.pace->name()];
  // Of the many short ones it is enough to say how they ended.
  if (!run.pace->is_short()) {
    LogScope scope("task_id", run.task->id);
    log_info("task.started", {{"name", run.task->name}, {"retries", run.task->retries}});
  }
  if (options_.observer) options_.observer->run_started(*run.task, run.slot, run.begun_at);
}

void Supervisor::end(Run run, Ending ending) {
  run.ending = ending;
  if (ending != Ending::reported && run.begun) {
    run.runtime_s = static_cast<double>(now_ - run.begun) / 1000;
    if (ending != Ending::not_begun) run.pace->measure(run.runtime_s * 1000);
  }
  ended_.push_back(std::move(run));
  changed_ = true;
}

std::vector<Run> Supervisor::take_back_waiting(Slot& slot, std::uint64_t but_for) {
  std::vector<Run> taken;
  std::deque<Run> left;
  for (auto& run : slot.runs) {
    bool is_taken = run.order != but_for && slot.process->take_back(run.order);
    if (is_taken)
      taken.push_back(std::move(run));
    else
      left.push_back(std::move(run));
  }
  slot.runs = std::move(left);
  return taken;
}

void Supervisor::stop_run(Slot& slot, std::uint64_t order, Ending ending, int signal) {
  auto run =
      std::find_if(slot.runs.begin(), slot.runs.end(), [&](const Run& one) { return one.order == order; });
  if (run == slot.runs.end()) return;
  run->signal = signal;
  if (slot.process->take_back(order)) {
    Run unbegun = std::move(*run);
    slot.runs.erase(run);
    if (!slot.runs.empty() && !slot.runs.front().begun) begin(slot.runs.front());
    return end(std::move(unbegun), ending);
  }
  // Once nothing waits in the slot it can do no other run than the one that it has begun, and what it has
  // ended it has reported: it is that run that a signal would hit.
  auto waiting = take_back_waiting(slot, order);
  read(slot);
  if (!slot.runs.empty() && slot.runs.front().order == order) {
    Run& first = slot.runs.front();
    first.ending = ending;
    Millis grace = signal == SIGKILL ? 0 : grace_ms;
    if (ending == Ending::soft_timed_out) {
      Millis hard = Millis{1000} * first.task->time_limit_s;
      grace = hard > 0 ? std::clamp<Millis>(first.begun + hard - now_, 0, soft_grace_ms) : soft_grace_ms;
    }
    kill(slot, grace, signal);
  }
  for (auto& one : waiting) place(std::move(one));
}

// Counts the slots that died with this order before they had begun it.
bool Supervisor::was_missed_often(const std::string& task_id) {
  if (misses_.size() >= most_misses_known) misses_.clear();
  if (++misses_[task_id] < misses_allowed) return false;
  misses_.erase(task_id);
  return true;
}

}  // namespace segments
