// One run of a task, from its lease until the queue knows how it ended; and the slots that do the runs. As
// the supervisor sees them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "queue/task_outcome.h"
#include "queue/task_queue.h"
#include "worker/slot_process.h"
#include "worker/task_pace.h"

namespace segments {

enum class Ending {
  reported,
  crashed,
  timed_out,
  soft_timed_out,
  revoked,
  terminated,
  lost,
  stopped,
  not_begun,  // no slot can have it now
};

struct Run {
  std::shared_ptr<const LeasedTask> task;
  TaskPace* pace = nullptr;
  std::string folder = {};
  Millis leased_at = 0, begun_at = 0;  // wall time
  Millis renew_at = 0, begun = 0;      // of the clock that never goes back, as what follows
  pid_t slot = 0;
  std::uint64_t order = 0;  // its number in the slot
  std::size_t bytes = 0;    // of the order
  std::optional<Ending> ending = {};
  TaskOutcome outcome = {};  // as reported
  double runtime_s = 0;
  int refusals = 0;                 // by the queue, of how it ended
  Millis record_at = 0;             // not told again before
  int signal = 0;                   // that it was terminated with
  bool revocation_is_told = false;  // of one that was terminated
};

struct Slot {
  std::unique_ptr<SlotProcess> process;
  bool ready = false;     // has said so
  bool ending = false;    // its group is being killed
  bool retiring = false;  // one too many: goes when its run has ended
  Millis kill_at = 0;     // when asking was enough
  Millis start_at = 0;
  int failed_starts = 0;
  std::deque<Run> runs;  // the first runs, the others wait in the slot

  bool is_usable() const { return process && ready && !ending && !retiring; }
  bool is_free() const { return is_usable() && runs.empty(); }
};

}  // namespace segments
