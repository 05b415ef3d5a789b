// Slot processes: their number, start, watch and end.
#include <signal.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "worker/supervisor.h"

namespace segments {

namespace {

// Of the order in a slot that is ready: it reads nothing, so it is no slot any more.
constexpr Millis longest_silence_ms = 10'000;

}  // namespace

// As many as are wanted. What is too many goes at once when it does nothing, else when its run has ended.
void Supervisor::fit_slots() {
  for (auto slot = slots_.begin(); slot != slots_.end();)
    slot = slot->retiring && !slot->process && slot->runs.empty() ? slots_.erase(slot) : std::next(slot);
  auto count = static_cast<int>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.retiring; }));
  if (count == slots_wanted_) return;
  log_info("worker.slots", {{"worker", options_.name}, {"slots", slots_wanted_}});
  for (auto& slot : slots_)
    if (count < slots_wanted_ && slot.retiring && !slot.ending) {
      slot.retiring = false;
      ++count;
    }
  for (; count < slots_wanted_; ++count) slots_.emplace_back();
  for (bool busy_too : {false, true})
    for (auto slot = slots_.rbegin(); slot != slots_.rend() && count > slots_wanted_; ++slot) {
      if (slot->retiring || (!busy_too && !slot->runs.empty())) continue;
      slot->retiring = true;
      --count;
      if (slot->runs.size() > 1 && !slot->ending)
        for (auto& run : take_back_waiting(*slot, slot->runs.front().order)) place(std::move(run));
    }
}

void Supervisor::start(Slot& slot) {
  slot.ready = false;
  try {
    slot.process = std::make_unique<SlotProcess>(options_.slot_command);
  } catch (const Error& error) {
    log_error("slot.not_started", {{"error", error.what()}});
    slot.start_at = now_ + 1000;
  }
}

// Where a slot stands: started when there is none, ended when its time is over, gone when all of it is.
void Supervisor::watch(Slot& slot) {
  if (!slot.process) {
    if (now_ >= slot.start_at && !stopping_since_ && !slot.retiring) start(slot);
    return;
  }
  bool is_broken = slot.process->is_broken();
  if (!slot.ending) {
    if (is_broken) {
      read(slot);  // a report that came before the end counts
      crash(slot);
      kill(slot, 0, SIGKILL);
    } else if (!slot.runs.empty()) {
      watch_run(slot);
    } else if (slot.retiring) {
      kill(slot, 0, SIGKILL);
    }
  }
  if (!slot.ending) return;
  if (is_broken || now_ >= slot.kill_at) slot.process->signal_group(SIGKILL);
  if (!slot.process->is_gone()) return;
  slot.process.reset();
  slot.ending = false;
  changed_ = true;
  for (auto& run : slot.runs) {
    auto ending = run.ending.value_or(Ending::crashed);
    end(std::move(run), ending);
  }
  slot.runs.clear();
  // One that dies before it is ready would only die again.
  slot.failed_starts = slot.ready ? 0 : slot.failed_starts + 1;
  slot.start_at = slot.ready ? now_ : now_ + std::min<Millis>(5000, 100 << std::min(slot.failed_starts, 6));
  if (!slot.ready && !slot.retiring)
    log_error("slot.died_at_start", {{"command", options_.slot_command.front()}});
}

void Supervisor::watch_run(Slot& slot) {
  const Run& run = slot.runs.front();
  Millis age = now_ - run.begun;
  auto is_past = [&](int seconds) { return seconds > 0 && age >= Millis{1000} * seconds; };
  if (slot.process->waits(run.order)) {
    if (age >= longest_silence_ms) slot.process->distrust();
  } else if (is_past(run.task->time_limit_s)) {
    stop_run(slot, run.order, Ending::timed_out);
  } else if (is_past(run.task->soft_time_limit_s)) {
    stop_run(slot, run.order, Ending::soft_timed_out);
  } else if (slot.runs.size() > 1 && age >= patience_ms) {
    auto order = run.order;
    read(slot);  // it may be this worker that had no time
    if (slot.runs.empty() || slot.runs.front().order != order) return;
    for (auto& waiting : take_back_waiting(slot, order)) place(std::move(waiting));
  }
}

// Of a slot that has ended by itself: what it had begun has crashed, what it had not is as good as before.
void Supervisor::crash(Slot& slot) {
  std::vector<Run> unharmed;
  std::deque<Run> crashed;
  bool is_first = true;
  for (auto& run : slot.runs) {
    bool is_unharmed = slot.process->take_back(run.order);
    // Yet a slot that dies again and again with the same order before it has begun it dies of it.
    if (is_unharmed && is_first && was_missed_often(run.task->id)) is_unharmed = false;
    is_first = false;
    if (is_unharmed) {
      unharmed.push_back(std::move(run));
    } else {
      run.ending = Ending::crashed;
      crashed.push_back(std::move(run));
    }
  }
  slot.runs = std::move(crashed);
  slot.ending = true;  // so that nothing is placed here
  for (auto& run : unharmed) place(std::move(run));
}

void Supervisor::kill(Slot& slot, Millis grace, int signal) {
  slot.ending = true;
  slot.kill_at = now_ + grace;
  slot.process->signal_group(signal);
}

void Supervisor::read(Slot& slot) {
  while (auto report = slot.process->read_report()) {
    changed_ = true;
    if (!report->outcome) {
      slot.ready = true;
      continue;
    }
    if (slot.runs.empty() || slot.runs.front().order != report->order) return slot.process->distrust();
    Run run = std::move(slot.runs.front());
    slot.runs.pop_front();
    run.runtime_s = static_cast<double>(report->runtime_us) / 1e6;
    run.pace->measure(run.runtime_s * 1000);
    run.outcome = std::move(*report->outcome);
    end(std::move(run), Ending::reported);
    if (!slot.runs.empty()) begin(slot.runs.front());
  }
}

}  // namespace segments
