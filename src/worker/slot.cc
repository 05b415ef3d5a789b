// The slot's side: a process of its own that runs one task after another.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "base/log.h"
#include "worker/message.h"
#include "worker/slot_board.h"
#include "worker/worker.h"

namespace segments {

namespace {

// The guard: never returns. Everything is blocked, so that only SIGKILL and the slot's end concern it.
[[noreturn]] void guard_group(pid_t slot) {
  close_range(0, ~0u, 0);
  prctl(PR_SET_PDEATHSIG, SIGUSR1);
  prctl(PR_SET_NAME, "slot-guard");
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  while (getppid() == slot) sigwaitinfo(&wanted, nullptr);
  kill(0, SIGKILL);
  _exit(0);
}

// The kernel kills a slot when its worker dies, but not what the slot had started (an encoder). So each slot
// has a guard in its process group, a child that does nothing but kill the whole group once the slot is gone,
// whatever ended it. False when it cannot be had.
bool start_guard() {
  // Outside a group of its own there is nothing that may be killed.
  if (getpgrp() != getpid()) return true;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t slot = getpid();
  pid_t guard = fork();
  if (guard == 0) guard_group(slot);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return guard > 0;
}

std::string print_report(std::uint64_t order, std::int64_t runtime_us, TaskOutcome outcome) {
  auto report = encode(make_report(order, runtime_us, std::move(outcome)));
  if (report.size() <= max_message_bytes) return report;
  return encode(make_report(
      order, runtime_us, {.ending = TaskEnding::failure, .error = "The result of the task is too large."}));
}

}  // namespace

int run_slot(int descriptor,
             const std::function<TaskOutcome(const LeasedTask&, const std::string& work_dir)>& run) {
  using Clock = std::chrono::steady_clock;
  // Programs that a run starts must not hold the socket: its end tells the worker that the slot is gone.
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  SlotBoard board(descriptor + 1);
  if (!start_guard()) return 1;
  if (!send_message(descriptor, encode(RunReport{}))) return 0;
  MessageReader reader(descriptor);
  for (std::uint64_t number = 1;; ++number) {
    auto message = reader.read(true);
    if (!message) return 0;
    // Before anything else is done with it: what kills the slot has been begun.
    if (!board.begin(number)) continue;
    auto order = decode<RunOrder>(*message);
    LogScope scope("task_id", order.id);
    auto begun = Clock::now();
    TaskOutcome outcome;
    try {
      outcome = run(task_of(order), order.work_dir);
    } catch (const std::exception& error) {
      log_error("task.threw", {{"name", order.name}, {"error", error.what()}});
      outcome = {.ending = TaskEnding::retry, .error = "The task ended unexpectedly."};
    }
    auto runtime = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun);
    // At once, however many orders wait: the next may run for long, or kill the slot. The worker reads many
    // at once.
    if (!send_message(descriptor, print_report(number, runtime.count(), std::move(outcome)))) return 0;
  }
}

}  // namespace segments
