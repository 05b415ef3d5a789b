// The worker: one supervising thread that leases tasks and hands each to a slot, which is a child process of
// its own, as Celery's prefork does. A run past its time limit, revoked, or whose lease was lost is killed
// with its whole process group; a slot that crashes costs its task one retry. When the worker itself is
// killed, the kernel kills its slots, and each slot's guard kills what that slot had started. Tasks whose
// runs are known to be short are sent to a slot many at a time; what waits behind a run that takes long after
// all is taken back.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "queue/task_outcome.h"
#include "queue/task_queue.h"
#include "worker/run_observer.h"
#include "worker/worker_controls.h"

namespace segments {

struct WorkerOptions {
  std::string name;  // "worker@host-pid"
  int slots = 2;     // where there are no controls
  std::vector<std::string>
      slot_command;  // starts a slot: this binary, "worker-slot", …; descriptor 3 is its socket
  int lease_ms = 30'000;
  int poll_ms = 50;           // how often the queue is asked while slots are free
  int retry_base_ms = 2'000;  // of the back-off: doubled by each retry, at most 5 min, with full jitter
  int drain_seconds = 20;     // at a stop: running tasks may finish so long, then are killed and handed back
  int last_words_seconds =
      4;                 // after that the queue is told of them; what it does not take is left to leases
  std::string work_dir;  // each run may make a folder of its own in it, removed afterwards
  WorkerControls* controls =
      nullptr;  // for another thread; they say how many slots there are. They outlive the worker
  RunObserver* observer = nullptr;  // as long
  // Called once, when the worker begins to stop, with the moment of steady_ms() at which it is to be gone
  // whatever the queue does: where its calls can wait for longer, they are not to.
  std::function<void(Millis gone_at)> stopping = {};
};

// Runs until `stop_asked_at` is set, to the moment of steady_ms() from which the stop's time counts: it may
// be seen later where the queue is waited for. On a thread that outlives it, because the kernel ties the
// slots to that thread. `give_up` is called in this process for tasks that ended for good without success
// (TaskQueue::lease_given_up); it may be called more than once for one task, and where it throws it is called
// again later.
void run_worker(
    TaskQueue&, const WorkerOptions&, const std::atomic<Millis>& stop_asked_at,
    const std::function<void(const LeasedTask&, const std::string& error, bool revoked)>& give_up);

// A slot's main loop on `descriptor`, 3, and the next, its board: reads a task, runs it, writes the outcome;
// returns when the worker goes away. Called while the process has one thread yet. The slot has a child, its
// guard: a run waits for its own children by id. `work_dir` is a path of the run's own at which there is
// nothing yet; what the run puts there is removed after it.
int run_slot(int descriptor,
             const std::function<TaskOutcome(const LeasedTask&, const std::string& work_dir)>& run);

}  // namespace segments
