// What run_worker does: one loop that asks the queue, hands tasks to slots, and watches over both.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "worker/errand.h"
#include "worker/run.h"
#include "worker/worker.h"

namespace segments {

using GiveUp = std::function<void(const LeasedTask&, const std::string& error, bool revoked)>;

class Supervisor {
 public:
  Supervisor(TaskQueue&, const WorkerOptions&, GiveUp);
  // Until `stop_asked_at` is set and the running tasks have ended.
  void run(const std::atomic<Millis>& stop_asked_at);

 private:
  static constexpr Millis patience_ms = 50;  // how long an order may wait behind one that runs

  // Slots (supervisor_slots.cc).
  void fit_slots();
  void start(Slot&);
  void watch(Slot&);
  void watch_run(Slot&);
  void read(Slot&);
  void crash(Slot&);
  void kill(Slot&, Millis grace, int signal);

  // Runs (supervisor_runs.cc).
  void place(Run);
  Slot* find_slot(const Run&);
  void begin(Run&);
  void end(Run, Ending);
  // Ends a run that has no outcome yet, with its slot where the slot has begun it.
  void stop_run(Slot&, std::uint64_t order, Ending, int signal = SIGTERM);
  std::vector<Run> take_back_waiting(Slot&, std::uint64_t but_for);
  bool was_missed_often(const std::string& task_id);
  bool flows(const Slot&) const;

  // The queue (supervisor_queue.cc). Its errors never end the worker: they are logged, and it is asked again
  // a second later.
  template <class F>
  bool ask(const char* what, F&& f);
  void note_answer(const char* what);  // it did what it was asked
  void note_refusal(const char* what, const std::exception&);
  bool note_end_of(Errand&, const char* what);  // whether it did what it was asked
  void beat_and_sweep();
  int wanted() const;
  bool may_lease() const;
  void lease();
  void take_leased();
  void place_leased();
  bool asks_itself() const;
  void take(LeasedTask);
  void check_revoked();
  void renew();
  void tell_given_up();

  // How runs ended (supervisor_record.cc).
  struct Telling {  // of the queue, how runs ended
    std::vector<Run> runs = {};
    std::vector<LeaseEnd> ends = {};
    std::vector<bool> taken = {};
    bool has_losers = false;
  };
  void record();
  bool waits_for_leases(const Run&) const;
  void record_singly(std::vector<Run>);
  bool record_one(Run);
  Telling telling_of(std::vector<Run>);
  void tell(Telling&) const;
  void take_told();
  void end_telling(bool is_told);
  void note_told(Telling&, bool is_told);
  LeaseEnd lease_end_of(const Run&);
  void note_end(const Run&, const LeaseEnd&, bool is_taken);

  // The loop (supervisor.cc).
  void obey();
  void begin_stop(Millis asked_at);
  void terminate(const Termination&);
  bool drain();
  void show();
  void wait_for_slots();
  std::int64_t rest_us() const;

  TaskQueue& queue_;
  const WorkerOptions options_;
  const GiveUp give_up_;
  Subreaper subreaper_;
  std::list<Slot> slots_;
  int slots_wanted_;
  TaskPaces paces_;
  std::vector<Run> ended_;  // what the queue has not been told yet
  // What the queue is asked, perhaps while the slots go on.
  Telling told_;
  std::vector<LeasedTask> leased_;
  Millis leased_since_ = 0;      // at the earliest
  bool is_more_leased_ = false;  // there is more where these came from
  std::unordered_map<std::string, TimeLimits> time_limits_;
  std::unordered_map<std::string, int> misses_;
  std::map<std::string, std::uint64_t> started_;  // since the last show()
  std::mt19937_64 random_{std::random_device{}()};
  std::int64_t next_run_;
  int reach_ = 1;             // how many orders each slot may be sent: more while all that is leased is short
  bool changed_ = true;       // since the last show()
  Millis stop_asked_at_ = 0;  // by the controls
  Millis now_ = 0;            // of this turn of the loop
  Millis queue_rests_until_ = 0;
  bool queue_has_failed_ = false;  // since it last did what it was asked
  bool renew_at_once_ = false;
  Millis beat_at_ = 0, sweep_at_ = 0, lease_at_ = 0, revoked_at_ = 0, tell_at_ = 0;
  Millis stopping_since_ = 0;  // counted from when it was asked for
  // Last, so that they have come to their ends before anything that they use goes.
  Errand leasing_, telling_;
};

}  // namespace segments
