// The one writer of a process: a thread that commits many callers' changes in one transaction, since a
// durable commit costs a disk flush however much it carries. Other processes write to the same file; they
// take turns (turnstile.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/metrics.h"
#include "sqlite/checkpointer.h"
#include "sqlite/connection.h"
#include "sqlite/turnstile.h"

namespace segments::sqlite {

class Writer {
 public:
  using Change = std::function<void(Connection&)>;

  Writer(std::unique_ptr<Connection>, std::unique_ptr<Connection> for_checkpoints, int busy_timeout_ms,
         const std::string& name, Metrics*);
  // Finishes what is queued.
  ~Writer();

  // A change that is handed in. It stays where it is until it has ended.
  struct Request {
    Change change;
    // On the writer's thread, when it is durable or has failed; must neither block nor throw. Without, the
    // one who waits for it is let go.
    std::function<void()> ended = nullptr;
    std::exception_ptr error = nullptr;  // what it threw, or why it could not be committed
  };

  // Returns when the change is durable; throws its error. A change may run more than once: when another one
  // fails in the transaction they share, or that cannot be committed.
  void write(Change);
  // The same for who does not wait.
  void submit(Request&);
  // Called with each transaction's notes, inside it.
  void before_commit(std::function<void(Connection&)>);
  void after_commit(std::function<void()>);

 private:
  using Requests = std::vector<Request*>;
  // Where those wait whose changes share a transaction.
  struct Gate {
    std::atomic<int> is_open{0};
    void wait();
    void open();
  };
  struct Waiting {
    Requests requests;
    std::shared_ptr<Gate> gate;  // null while nobody waits; who was let go may still be looking at it
  };
  // The transaction could not be begun; it would be no other for each change alone.
  struct Busy {
    Error reason;
  };

  Waiting& add(Request&);
  void run();
  static void tell(Waiting&);
  void commit(const Requests&);
  void commit_together(const Requests&, bool with_savepoints);
  void run_change(Request&);
  void run_alone(Request&);

  std::unique_ptr<Connection> connection_;
  Turnstile turnstile_;
  Checkpointer checkpointer_;
  const int busy_timeout_ms_;
  Counter* transactions_ = nullptr;
  Counter* changes_ = nullptr;
  Counter* failures_ = nullptr;
  Histogram* commit_seconds_ = nullptr;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  bool stopping_ = false;
  std::function<void(Connection&)> before_commit_;
  std::function<void()> after_commit_;
  std::thread thread_;
};

}  // namespace segments::sqlite
