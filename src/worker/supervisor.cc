#include "worker/supervisor.h"

#include <poll.h>

#include <algorithm>
#include <cassert>

#include "base/error.h"
#include "base/log.h"

namespace segments {

namespace {

constexpr Millis grace_ms = 400;         // between asking a group to end and killing it
constexpr Millis longest_wait_ms = 200;  // a stop is seen after so long at most
constexpr Millis ending_wait_ms = 5;
constexpr Millis last_words_ms =
    10'000;  // what the queue has not taken so long after a drain is left to the leases

}  // namespace

Supervisor::Supervisor(TaskQueue& queue, const WorkerOptions& options, GiveUp give_up)
    : queue_(queue), options_(options), give_up_(std::move(give_up)), slots_(std::max(options.slots, 0)) {
  assert(!options.work_dir.empty() && !options.slot_command.empty());
}

void Supervisor::run(const std::atomic<bool>& stop) {
  log_info("worker.started", {{"worker", options_.name}, {"slots", options_.slots}});
  while (true) {
    now_ = steady_ms();
    if (stop && !stopping_since_) {
      stopping_since_ = now_;
      log_info("worker.stopping", {{"worker", options_.name}});
    }
    for (auto& slot : slots_) watch(slot);
    beat_and_sweep();
    check_revoked();
    renew();
    for (auto& slot : slots_) record(slot);
    tell_given_up();
    if (stopping_since_) {
      if (drain()) break;
    } else {
      lease();
    }
    wait_for_slots();
  }
  log_info("worker.stopped", {{"worker", options_.name}});
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
    if (now_ >= slot.start_at && !stopping_since_) start(slot);
    return;
  }
  bool is_broken = slot.process->is_broken();
  if (!slot.ending) {
    if (is_broken) read(slot);  // a report that came before the end counts
    bool is_running = slot.run && !slot.run->ending;
    if (is_broken) {
      if (is_running) end(slot, Ending::crashed);
      kill(slot, 0);
    } else if (is_running && now_ >= slot.run->deadline) {
      end(slot, Ending::timed_out);
    }
  }
  if (!slot.ending) return;
  if (is_broken || now_ >= slot.kill_at) slot.process->kill_group();
  if (!slot.process->is_gone()) return;
  slot.process.reset();
  slot.ending = false;
  // One that dies before it is ready would only die again.
  slot.failed_starts = slot.ready ? 0 : slot.failed_starts + 1;
  slot.start_at = slot.ready ? now_ : now_ + std::min<Millis>(5000, 100 << std::min(slot.failed_starts, 6));
  if (!slot.ready) log_error("slot.died_at_start", {{"command", options_.slot_command.front()}});
}

void Supervisor::kill(Slot& slot, Millis grace) {
  slot.ending = true;
  slot.kill_at = now_ + grace;
  if (grace) slot.process->terminate_group();
}

void Supervisor::end(Slot& slot, Ending ending) {
  slot.run->ending = ending;
  if (ending != Ending::reported) kill(slot, ending == Ending::crashed ? 0 : grace_ms);
}

void Supervisor::read(Slot& slot) {
  while (auto report = slot.process->read_report()) {
    if (!report->outcome) {
      slot.ready = true;
    } else if (slot.run && !slot.run->ending) {
      slot.run->outcome = std::move(*report->outcome);
      end(slot, Ending::reported);
    }
  }
}

void Supervisor::wait_for_slots() {
  std::vector<pollfd> sockets;
  std::vector<Slot*> polled;
  Millis wait = longest_wait_ms;
  for (auto& slot : slots_) {
    if (is_free(slot)) wait = std::min<Millis>(wait, std::max(options_.poll_ms, 1));
    if (slot.ending) wait = std::min(wait, ending_wait_ms);
    if (!slot.process && !stopping_since_) wait = std::clamp<Millis>(slot.start_at - now_, 1, wait);
    // The end of a socket would be reported at once for as long as its slot is not yet gone.
    if (!slot.process || slot.ending) continue;
    sockets.push_back({slot.process->socket(), POLLIN, 0});
    polled.push_back(&slot);
  }
  if (poll(sockets.data(), sockets.size(), static_cast<int>(wait)) <= 0) return;
  for (std::size_t i = 0; i < sockets.size(); ++i)
    if (sockets[i].revents) read(*polled[i]);
}

// True when the worker may end.
bool Supervisor::drain() {
  Millis since = now_ - stopping_since_, drain_ms = Millis{1000} * options_.drain_seconds;
  bool is_over = true;
  for (auto& slot : slots_) {
    if (!slot.run) continue;
    is_over = false;
    if (!slot.run->ending && since >= drain_ms) end(slot, Ending::stopped);
  }
  return is_over || since >= drain_ms + last_words_ms;
}

void run_worker(
    TaskQueue& queue, const WorkerOptions& options, const std::atomic<bool>& stop,
    const std::function<void(const LeasedTask&, const std::string& error, bool revoked)>& give_up) {
  Supervisor(queue, options, give_up).run(stop);
}

}  // namespace segments
