// What another thread may see and ask of a running worker: remote control. Any thread may call; nothing here
// waits for the worker, which sees a request at once unless it waits for its queue.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "queue/task_queue.h"

namespace segments {

inline constexpr int most_slots = 512;

// A task that this worker holds.
struct HeldTask {
  std::shared_ptr<const LeasedTask> task;
  pid_t slot = 0;        // the process that has it
  Millis leased_at = 0;  // wall time, as the next
  Millis begun_at = 0;   // 0: it waits in the slot behind another
};

struct WorkerSnapshot {
  int slots = 0;                 // as asked for
  std::vector<pid_t> slot_pids;  // those that are ready
  std::vector<HeldTask> tasks;
  std::map<std::string, std::uint64_t> started;  // runs begun since the worker's start, by the task's name
  bool stopping = false;
};

// In place of what each task says itself, for those leased afterwards. Seconds; 0: no limit; absent: the
// task's own.
struct TimeLimits {
  std::optional<int> soft_s = {}, hard_s = {};
};

struct Termination {
  std::vector<std::string> task_ids;
  int signal = SIGTERM;
};

struct WorkerRequests {
  int slots = 0;
  std::vector<Termination> terminations;
  std::vector<std::pair<std::string, TimeLimits>> time_limits;
  Millis stop_asked_at = 0;  // of steady_ms(); 0: not asked
};

class WorkerControls {
 public:
  // `slots`: how many the worker starts with. Throws Error{unavailable}.
  explicit WorkerControls(int slots);
  ~WorkerControls();
  WorkerControls(const WorkerControls&) = delete;
  WorkerControls& operator=(const WorkerControls&) = delete;

  WorkerSnapshot snapshot() const;

  // From 0 to most_slots; what is beyond becomes the nearest. A busy slot that is too many goes when its run
  // ends.
  void set_slots(int);
  int add_slots(int by);  // the new number
  // Of these tasks those that are held here are revoked in the queue, and what runs gets the signal, and
  // SIGKILL shortly after. Ids of others are passed over.
  void terminate(std::vector<std::string> task_ids, int signal = SIGTERM);
  void set_time_limits(std::string_view task_name, TimeLimits);
  void stop();  // as the worker's stop flag

  // For the worker: readable when there is something to take.
  int wake_descriptor() const { return wake_; }
  std::optional<WorkerRequests> take_requests();
  void show(WorkerSnapshot newest);  // its `started` is added to what was shown, its `slots` is not looked at

 private:
  void wake();

  const int wake_;
  mutable std::mutex mutex_;
  WorkerRequests requests_;
  bool requested_ = false;
  WorkerSnapshot snapshot_;
};

}  // namespace segments
