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
#include "celery/parked_tasks.h"
#include "celery/result.h"
#include "celery/scripts.h"
#include "celery/server_clock.h"
#include "queue/task_queue.h"
#include "redis/client.h"

namespace segments::celery {

struct Ending;
struct Judgement;
class ScriptCall;

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
  bool is_more_waiting() const override { return is_more_waiting_; }
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
  // By this object, and not due yet, the earliest first and no more than `most`; all of them where `wanted`
  // is empty.
  std::vector<ParkedTask> parked(const std::function<bool(const ParkedTask&)>& wanted = {},
                                 std::size_t most = SIZE_MAX) const;
  std::vector<ParkedTask> find_parked(std::span<const std::string> task_ids) const;
  // Their messages, of those that are parked still, until `visit` says that it is enough.
  void read_parked(std::span<const ParkedTask>,
                   const std::function<bool(const ParkedTask&, const TaskMessage&)>& visit) const;
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
  Millis now() const { return options_.clock ? options_.clock() : server_clock_.now(); }
  std::string index_score(Millis at) const;
  void declare(const std::string& queue);
  std::size_t revoke_tasks(std::span<const std::string> task_ids, bool expired, Millis now);
  std::vector<std::string> given_up_by_expiry(std::span<const std::string> task_ids);

  // fetch.cc
  redis::Reply fetch(std::string_view worker, int most, Millis now, int lease_ms);
  static bool is_ended(const redis::Reply&);  // leases have ended, and nothing was fetched
  void take_fetched(redis::Reply, std::string_view worker, Millis now, std::vector<LeasedTask>& out);
  std::shared_ptr<Delivery> decode_fetched(std::int64_t fence, const std::string& queue, std::string raw,
                                           Sight, Millis now);
  std::set<std::string> succeeded(const std::vector<std::string>& task_ids);
  void settle(Judgement&, std::string_view worker, Millis now);
  void store_started(const std::vector<DeliveryPtr>&, std::string_view worker);

  // judgement.cc
  void judge(std::shared_ptr<Delivery>, Sight, Millis now, Judgement&);
  std::variant<std::string, PythonException> bind(const TaskMessage&) const;
  void note_received(const Delivery&);

  // outcome.cc
  std::vector<bool> end(std::vector<Ending>&, Millis now);
  std::vector<DeliveryPtr> deliveries_of(std::span<const LeaseEnd>) const;
  DeliveryPtr read_delivery(std::int64_t fence, std::string_view unacked_value) const;

  // upkeep.cc
  void put_back(Millis now);
  void restore_ended(const redis::Reply& ended, Millis now);
  std::vector<int> deaths_with(const std::vector<DeliveryPtr>&, Millis now);
  void restore_peers(const std::string& tag, const redis::Reply& value, const std::string& cutoff,
                     Millis now);
  void restore_abandoned(Millis now);
  void expire_waiting(Millis now);
  void adopt_outcomes(Millis now);
  void adopt(const redis::Reply& waiting, Millis now);
  void seek_messages(Millis now);
  void bury_garbage(Millis now);
  bool may_leases_end(Millis now);
  std::string list_of(const struct UnackedEntry&);

  // dead_letters.cc
  bool requeue(const ScriptCall&);
  void bury(const MessageFault&, std::string_view raw, const std::string& queue, const std::string& tag,
            const std::string& garbage, std::string_view unacked_value, Millis now);

  redis::Client& redis_;
  CeleryQueueOptions options_;
  mutable ServerClock server_clock_;
  const std::string holder_;  // this object, among all that ever beat for a worker of the same name

  mutable std::mutex mutex_;
  std::map<std::int64_t, DeliveryPtr> deliveries_;
  std::vector<std::string> queues_;
  std::set<std::string> declared_;
  std::string adopted_to_ = "0";  // how far adopt_outcomes has come
  ParkedTasks parked_;
  std::atomic<bool> is_more_waiting_ = false;
  std::atomic<unsigned> turn_{0};  // whose queue comes first
};

}  // namespace segments::celery
