// What the service asks of any task queue. Calls block; any thread may call. At least once: a task whose worker dies
// is handed out again when its lease ends, so tasks are idempotent. Implementations pass queue/task_queue_contract.h.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/later.h"
#include "base/time.h"
#include "describe/encode.h"

namespace segments {

// Celery's names. PENDING: waits or is delayed; RETRY: waits after a failed run.
enum class TaskStatus { PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED };
BOOST_DESCRIBE_ENUM(TaskStatus, PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED)

struct NewTask {
  std::string id = {};            // "" makes one; an id that is known is not queued again
  std::string name = {};          // "tasks.process_video_task"
  std::string arguments = "{}";   // a JSON object
  std::string user_id = {};       // who may see it
  Millis not_before = 0;          // delayed until then
  Millis expires = 0;             // not begun after then; 0: never
  int max_retries = 3;            // runs beyond the first
  int time_limit_s = 3600;        // of one run; then its process group is killed
  std::string parent_id = {};     // of the batch it belongs to
  int soft_time_limit_s = 0;      // of one run; then it is asked to end, and fails; 0: none
  int priority = 0;               // Celery's: 0 to 9, 0 first; 0-2, 3-5, 6-8 and 9 are served alike
};

// The step that a priority is served with: the largest of 0, 3, 6, 9 that is not above it (clamped to 0..9).
constexpr int priority_step(int priority) {
  return priority < 3 ? 0 : priority < 6 ? 3 : priority < 9 ? 6 : 9;
}

// A task handed to a worker until the lease ends.
struct LeasedTask {
  std::string id = {}, name = {}, arguments = {}, user_id = {};
  int retries = 0;            // runs that failed before
  int max_retries = 3;
  int time_limit_s = 3600;
  int soft_time_limit_s = 0;
  std::int64_t fence = 0;     // of this lease: what is written with an older one is refused
};

struct TaskState {
  std::string task_id;
  std::string name;
  std::string user_id;
  TaskStatus status = TaskStatus::PENDING;
  double progress = 0;                    // 0-100
  std::optional<std::string> message;
  std::optional<RawJson> result;          // with SUCCESS
  std::optional<std::string> error;       // one plain sentence, with FAILURE and RETRY
  int retries = 0;
  std::string created_at;
  std::optional<std::string> started_at;
  std::optional<std::string> finished_at;
  std::optional<std::string> next_attempt_at;  // delayed, or waiting for its next run
  std::optional<std::string> worker;
  std::optional<std::string> parent_id;
  std::int64_t children = 0, children_done = 0;  // of a batch: tasks that name it as parent, and how many are final
};
BOOST_DESCRIBE_STRUCT(TaskState, (),
                      (task_id, name, user_id, status, progress, message, result, error, retries, created_at, started_at,
                       finished_at, next_attempt_at, worker, parent_id, children, children_done))

struct DeadLetter {
  std::string task_id, name, arguments, error, died_at;
  int retries = 0;
};
BOOST_DESCRIBE_STRUCT(DeadLetter, (), (task_id, name, arguments, error, died_at, retries))

struct QueueCount {
  std::string name;  // of the task
  TaskStatus status = TaskStatus::PENDING;
  std::int64_t count = 0;  // now for PENDING, STARTED, RETRY; ever for the final ones
};
struct QueueHealth {
  std::vector<QueueCount> counts;
  std::int64_t dead_letters = 0;
  Millis oldest_waiting = 0;        // since when the oldest task that could run waits; 0: none
  Millis newest_worker_heartbeat = 0;  // 0: no worker was ever seen
  std::string danger = {};             // what an operator should mend though it works, as a sentence
};

// A task that ended for good without success, whose owner has yet to be told.
struct GivenUpTask {
  LeasedTask task;  // the fence is of this telling
  std::string error;
  bool revoked = false;  // while it ran; else it failed, or was not begun before it expired
};

// How a lease ends.
enum class LeaseEnding {
  finish,           // text: the result's JSON
  retry,            // text: one plain sentence, as of all that follow
  fail,             // final; kept as a dead letter
  time_limit,       // fail: a run was killed at its time limit
  soft_time_limit,  // fail: a run was ended at its soft time limit
  worker_lost,      // fail: the process that ran it died, and no retry is left
  hand_back,        // not run, or cut off by a stop: ready at once, not counted as a retry; no text
};
struct LeaseEnd {
  LeasedTask task;
  LeaseEnding ending = LeaseEnding::finish;
  std::string text = {};
  Millis not_before = 0;  // of a retry
};

class TaskQueue {
 public:
  virtual ~TaskQueue() = default;

  // Durable when it returns. The task's id. An id that is known is left alone, also a final one for 24 h.
  virtual std::string enqueue(const NewTask&) = 0;
  // The same for who does not wait. Nothing begins before what it returns is begun; a queue that has no way without waiting
  // does it on the thread that takes the id.
  virtual Later<std::string> enqueue_later(NewTask task) {
    return Later(std::move(task)).then([this](const NewTask& t) { return enqueue(t); }).for_who_may_wait();
  }
  // All of them or, where it throws, none: one durable step however many they are.
  virtual void enqueue_all(std::span<const NewTask>) = 0;
  virtual std::optional<TaskState> find_task(std::string_view task_id) = 0;
  // Revokes a task that is not final; a worker that runs it sees it by revoked_tasks() and kills it. False: final or absent.
  virtual bool revoke(std::string_view task_id) = 0;

  // For workers. Heartbeat of the worker itself, also when it does nothing.
  virtual void beat(std::string_view worker) = 0;
  virtual std::vector<LeasedTask> lease_tasks(std::string_view worker, int most, int lease_ms) = 0;
  // Each call of it does a bounded piece of work. True where the last one ended before it had looked at all that waits:
  // it is to be asked again at once, whatever it gave.
  virtual bool is_more_waiting() const { return false; }
  // False when the lease is no longer this worker's: the task must be stopped and its outcome is not taken.
  virtual bool renew(const LeasedTask&, int lease_ms) = 0;
  virtual bool put_task_progress(std::string_view task_id, double progress, std::string_view message) = 0;
  virtual bool finish(const LeasedTask&, std::string_view result_json) = 0;
  virtual bool retry(const LeasedTask&, std::string_view error, Millis not_before) = 0;
  virtual bool fail(const LeasedTask&, std::string_view error) = 0;  // final; kept as a dead letter
  virtual bool hand_back(const LeasedTask&) = 0;                     // not run, or cut off by a stop: ready at once, not counted as a retry
  // Many at once, each by itself as by the verbs above. One answer for each, in order. Where it throws some may have been taken.
  virtual std::vector<bool> end_leases(std::span<const LeaseEnd>);
  virtual std::vector<bool> renew_all(std::span<const LeasedTask>, int lease_ms);
  virtual std::vector<std::string> revoked_tasks(const std::vector<std::string>& task_ids) = 0;  // which of these are revoked

  // Giving up happens at least once, whoever dies: each task that failed (by fail, or because its workers kept dying),
  // expired, or was revoked while it ran is handed out here, to one worker until the lease ends and again until it is
  // settled. One that was revoked comes when its run has been handed back or its lease has ended.
  virtual std::vector<GivenUpTask> lease_given_up(int most, int lease_ms) = 0;
  virtual bool settle_given_up(const LeasedTask&) = 0;  // false: settled already, handed to another, or queued again

  virtual std::vector<DeadLetter> list_dead_letters(std::string_view after, std::size_t limit) = 0;
  virtual bool requeue_dead_letter(std::string_view task_id) = 0;
  virtual bool remove_dead_letter(std::string_view task_id) = 0;

  virtual QueueHealth health() = 0;
  virtual void sweep() = 0;  // results older than 24 h, dead letters older than 30 days, leases that ended, tasks that expired
};

}  // namespace segments
