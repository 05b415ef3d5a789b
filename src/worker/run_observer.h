// Who wants to know of each run as it begins and ends: the sender of events.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/time.h"
#include "queue/task_queue.h"

namespace segments {

enum class RunEnding {
  success,
  retry,    // it runs again later
  failure,  // final, as are the next three
  time_limit,
  soft_time_limit,
  worker_lost,  // its slot died and no retry is left
  revoked,      // in the queue, by whoever
  terminated,   // by WorkerControls::terminate
  lost,         // the lease was another's by then: nothing was told to the queue
  handed_back,  // not begun after all, or cut off by a stop
};

const char* name_of(RunEnding);

struct RunEnd {
  RunEnding ending = RunEnding::success;
  double runtime_s = 0;     // 0: not begun
  std::string error = {};   // one plain sentence, but for success and what was handed back
  std::string result = {};  // JSON, with success
  int signal = 0;           // with terminated: the signal asked for
  bool recorded =
      false;  // the queue has taken it; false where the lease was lost or the task revoked meanwhile
};

// Called on the worker's own thread, so it must neither block nor throw.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // `slot` is the process that runs it, `begun_at` wall time.
  virtual void run_started(const LeasedTask&, pid_t slot, Millis begun_at) = 0;
  // Once for each leased task, when the queue knows of it; also for one that was leased and never started.
  virtual void run_ended(const LeasedTask&, const RunEnd&) = 0;
};

}  // namespace segments
