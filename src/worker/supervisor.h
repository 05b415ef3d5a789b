// What run_worker does: one loop that asks the queue, hands tasks to slots, and watches over both.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "base/time.h"
#include "worker/slot_process.h"
#include "worker/worker.h"

namespace segments {

using GiveUp = std::function<void(const LeasedTask&, const std::string& error, bool revoked)>;

class Supervisor {
 public:
  Supervisor(TaskQueue&, const WorkerOptions&, GiveUp);
  // Until `stop` is set and the running tasks have ended.
  void run(const std::atomic<bool>& stop);

 private:
  enum class Ending { reported, crashed, timed_out, revoked, lost, stopped };
  // One run of a task, from its lease until the queue knows how it ended.
  struct Run {
    LeasedTask task;
    std::filesystem::path folder;
    Millis begun = 0, deadline = 0, renew_at = 0;
    std::optional<Ending> ending;
    TaskOutcome outcome;  // as reported
  };
  struct Slot {
    std::unique_ptr<SlotProcess> process;
    bool ready = false;   // has said so
    bool ending = false;  // its group is being killed
    Millis kill_at = 0;   // when asking was enough
    Millis start_at = 0;
    int failed_starts = 0;
    std::optional<Run> run;
  };

  // Slots.
  void start(Slot&);
  void read(Slot&);
  void watch(Slot&);
  void end(Slot&, Ending);
  void kill(Slot&, Millis grace_ms);
  void wait_for_slots();
  bool is_free(const Slot& slot) const { return slot.process && slot.ready && !slot.ending && !slot.run; }

  // The queue. Its errors never end the worker: they are logged, and it is asked again a second later.
  template <class F>
  bool ask(const char* what, F&& f);
  void clean();
  void beat_and_sweep();
  void lease();
  void begin(Slot&, LeasedTask);
  void check_revoked();
  void renew();
  void record(Slot&);
  bool record_outcome(const Run&);
  bool retry_or_fail(const LeasedTask&, const std::string& error, int retry_after_s);
  void tell_given_up();
  bool drain();

  TaskQueue& queue_;
  const WorkerOptions options_;
  const GiveUp give_up_;
  Subreaper subreaper_;
  std::vector<Slot> slots_;
  std::mt19937_64 random_{std::random_device{}()};
  Millis now_ = 0;  // of this turn of the loop
  Millis queue_rests_until_ = 0;
  Millis beat_at_ = 0, sweep_at_ = 0, lease_at_ = 0, revoked_at_ = 0, tell_at_ = 0;
  Millis stopping_since_ = 0;
};

}  // namespace segments
