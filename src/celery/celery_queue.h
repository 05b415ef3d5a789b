// The task queue in Redis as Celery keeps it: Python programs queue tasks for us and take ours, with Python's
// workers beside ours on the same lists. Any thread may call it, and any number of processes may work on the
// same Redis; not to be used in a forked child. What Redis cannot do now is Error{unavailable}.
//
// A task that is leased is in Celery's `unacked` under our tag "segments-<fence>", and its lease's end in the
// zset segments:leases. What /api/tasks shows is in the hash segments:task:<id>, joined with the result
// backend, which is in the same database. Every change is one Lua script (scripts.h).
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/metrics.h"
#include "celery/delivery.h"
#include "celery/keys.h"
#include "celery/message.h"
#include "celery/result.h"
#include "celery/server_clock.h"
#include "queue/task_queue.h"
#include "redis/client.h"

namespace segments::celery {

struct Ending;

// Called on the thread that takes or ends tasks, and must return soon. Empty ones are not called.
struct QueueObserver {
  std::function<void(const TaskMessage&)> received =
      {};  // once for each delivery to this process, parked ones too
  std::function<void(const TaskMessage&, bool expired)> revoked = {};  // not begun
  std::function<void(const TaskMessage&, const PythonException&)> refused =
      {};                                                               // unknown task, wrong arguments
  std::function<void(const TaskMessage&, bool requeue)> rejected = {};  // handed back
  std::function<void(const MessageFault&)> undecodable = {};
};

struct CeleryQueueOptions {
  std::string queue = keys::default_queue;                // where our own tasks go
  std::vector<std::string> consumed = {};                 // empty: that one
  int visibility_timeout_s = keys::visibility_timeout_s;  // the same everywhere in a cluster
  int result_ttl_s = keys::result_ttl_s;                  // 0: for ever
  bool track_started = false;                             // store STARTED
  std::string node = {};                                  // "celery@host"; origin of what we queue
  std::function<Millis()> clock = {};                     // empty: the server's
  // The JSON object that the task takes, or why it is not run (NotRegistered, TypeError). Empty: our four
  // tasks.
  std::function<std::variant<std::string, PythonException>(const TaskMessage&)> bind = {};
  // How long a task of that name may not begin yet (ms); 0: it begins now. Empty: no limits. Asked for each
  // message that is about to be handed out.
  std::function<Millis(const std::string& task)> limit = {};
  QueueObserver observer = {};
  Metrics* metrics = nullptr;
};

struct ParkedTask {
  TaskMessage message;
  Millis due = 0;
  std::int64_t fence = 0;
  bool limited = false;  // by a rate limit; else it has an eta
};

class CeleryQueue : public TaskQueue {
 public:
  CeleryQueue(redis::Client&, CeleryQueueOptions);
  ~CeleryQueue() override;

  std::string enqueue(const NewTask&) override;
  void enqueue_all(std::span<const NewTask>) override;
  std::optional<TaskState> find_task(std::string_view task_id) override;
  bool revoke(std::string_view task_id) override;

  void beat(std::string_view worker) override;
  std::vector<LeasedTask> lease_tasks(std::string_view worker, int most, int lease_ms) override;
  bool renew(const LeasedTask&, int lease_ms) override;
  bool put_task_progress(std::string_view task_id, double progress, std::string_view message) override;
  bool finish(const LeasedTask&, std::string_view result_json) override;
  bool retry(const LeasedTask&, std::string_view error, Millis not_before) override;
  bool fail(const LeasedTask&, std::string_view error) override;
  bool hand_back(const LeasedTask&) override;
  std::vector<bool> end_leases(std::span<const LeaseEnd>) override;
  std::vector<bool> renew_all(std::span<const LeasedTask>, int lease_ms) override;
  std::vector<std::string> revoked_tasks(const std::vector<std::string>& task_ids) override;
  std::vector<GivenUpTask> lease_given_up(int most, int lease_ms) override;
  bool settle_given_up(const LeasedTask&) override;

  std::vector<DeadLetter> list_dead_letters(std::string_view after, std::size_t limit) override;
  bool requeue_dead_letter(std::string_view task_id) override;
  bool remove_dead_letter(std::string_view task_id) override;

  QueueHealth health() override;
  void sweep() override;

  // For remote control and events.
  std::optional<TaskMessage> message_of(std::int64_t fence) const;  // of a task that this object leased
  std::vector<ParkedTask> parked() const;                           // by this object, and not due yet
  std::vector<std::string> queues() const;
  void set_queues(std::vector<std::string>);  // Error{invalid} for names that cannot be
  bool add_queue(const std::string&);         // false: consumed already
  bool cancel_queue(const std::string&);      // false: was not consumed
  // Their messages are dropped when they come; runs that are under way go on. As `celery control revoke` has
  // it.
  void drop_later(std::span<const std::string> task_ids);
  // The same of what peers remember as revoked, but for tasks that are on record here: what became of those
  // is known, and they may have been queued again since.
  void drop_unknown_later(std::span<const std::string> task_ids);

 private:
  struct Fetched;
  Millis now() const { return options_.clock ? options_.clock() : server_clock_.now(); }
  std::string index_score(Millis at) const;
  void declare(const std::string& queue);
  bool revoke_task(std::string_view task_id, bool expired, Millis now);

  // fetch.cc
  redis::Reply fetch(std::string_view worker, int most, Millis now, int lease_ms);
  std::size_t take_fetched(const redis::Reply&, std::string_view worker, Millis now,
                           std::vector<LeasedTask>& out);
  void judge(std::shared_ptr<Delivery>, int flag, Millis now, Fetched&);
  std::set<std::string> succeeded(const std::vector<std::string>& task_ids);
  void settle(Fetched&, std::string_view worker, Millis now);
  std::variant<std::string, PythonException> bind(const TaskMessage&) const;
  void store_started(const std::vector<DeliveryPtr>&, std::string_view worker);
  void note_received(const Delivery&);

  // outcome.cc
  std::vector<bool> end(std::vector<Ending>&, Millis now);
  std::vector<DeliveryPtr> deliveries_of(std::span<const LeaseEnd>) const;
  DeliveryPtr read_delivery(std::int64_t fence, std::string_view unacked_value) const;

  // upkeep.cc
  void put_back(Millis now);
  void restore_ended(const redis::Reply& ended, Millis now);
  std::vector<int> deaths_with(const std::vector<DeliveryPtr>&, Millis now);
  void restore_abandoned(Millis now);
  void expire_waiting(Millis now);
  void adopt_outcomes(Millis now);
  void adopt(const redis::Reply& waiting, Millis now);
  void bury_garbage(Millis now);
  bool may_leases_end(Millis now);
  std::string list_of(const struct UnackedEntry&);

  // dead_letters.cc
  void bury(const MessageFault&, std::string_view raw, const std::string& queue, const std::string& tag,
            const std::string& garbage, std::string_view unacked_value, Millis now);

  redis::Client& redis_;
  CeleryQueueOptions options_;
  mutable ServerClock server_clock_;
  const std::string holder_;  // this object, among all that ever beat for a worker of the same name

  mutable std::mutex mutex_;
  std::map<std::int64_t, DeliveryPtr> deliveries_;
  std::map<std::string, ParkedTask> parked_;  // by id
  std::vector<std::string> queues_;
  std::set<std::string> declared_;
  std::string adopted_to_ = "0";   // how far adopt_outcomes has come
  std::atomic<unsigned> turn_{0};  // whose queue comes first
};

}  // namespace segments::celery
