// This worker as Celery's clients, monitors and other workers see it: a node of the cluster that answers
// remote control, sends events, and exchanges what is revoked with its peers. A thread of its own, so that
// answers wait for no task.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "celery/control_message.h"
#include "celery/event.h"
#include "celery_control/desk.h"
#include "celery_control/mingle.h"
#include "redis/subscriber.h"

namespace segments::celery {

class Node {
 public:
  // All that is referred to outlives it; `queue` was made with options that the hooks were attached to, and
  // the worker observes with `hooks.events`. Redis need not be there yet.
  Node(redis::Url, CeleryQueue&, WorkerControls&, NodeHooks&, NodeOptions = {});
  // Says that the worker is gone. Soon done, also where Redis is away.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Returns when the peers have told what is revoked, or after 1 s: to be called before the first task is
  // taken.
  void wait_for_peers();

 private:
  struct Incoming {
    enum class Kind { subscribed, control, event } kind;
    std::string raw;
  };
  void put_incoming(Incoming);
  std::deque<Incoming> take_incoming();

  void run();
  template <class Step>
  bool attempt(const char* what, Step);
  Millis pause() const;
  void take(const Incoming&);
  void join_cluster();
  void take_control(std::string_view raw);
  void take_event(std::string_view raw);
  bool has_rival(const std::string& election, const std::string& candidate);
  void reply(const ControlRequest&, const Json& payload);
  void drop_revoked();
  void mingle();
  void publish_tasks();
  redis::Command print_tasks(std::vector<Event>);
  redis::Command print_worker(WorkerEvent);
  EventSource source();
  void leave_cluster();

  const NodeOptions options_;
  redis::Client redis_;
  NodeHooks& hooks_;
  Desk desk_;
  Mingle mingle_;
  std::deque<std::pair<std::string, std::string>> elections_;  // the newest, each with its first candidate
  Counter* undecodable_ = nullptr;
  Counter* overrun_ = nullptr;

  bool is_away_ = false;
  Millis retry_at_ = 0;  // what failed is not tried again before
  Millis beat_at_ = 0;
  bool join_is_due_ = false;

  std::mutex mutex_;
  std::deque<Incoming> incoming_;
  std::size_t incoming_bytes_ = 0;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<bool> has_mingled_ = false;
  Bell mingled_;
  std::thread thread_;
  std::unique_ptr<redis::Subscriber> subscriber_;
};

}  // namespace segments::celery
