#include "sqlite/writer.h"

#include <linux/futex.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/batch.h"
#include "base/error.h"
#include "base/log.h"

namespace segments::sqlite {

namespace {

// Beyond this a commit's own work outweighs its flush, and those who came first would wait for nothing.
constexpr std::size_t most_per_transaction = 256;

}  // namespace

Writer::Writer(std::unique_ptr<Connection> connection, std::unique_ptr<Connection> for_checkpoints,
               int busy_timeout_ms, const std::string& name, Metrics* metrics)
    : connection_(std::move(connection)),
      turnstile_(connection_->file()),
      checkpointer_(std::move(for_checkpoints)),
      busy_timeout_ms_(busy_timeout_ms) {
  if (metrics) {
    Labels labels{{"store", name}};
    transactions_ =
        &metrics->counter("segments_store_transactions_total", "Write transactions committed", labels);
    changes_ =
        &metrics->counter("segments_store_changes_total", "Changes that those transactions carried", labels);
    failures_ =
        &metrics->counter("segments_store_failures_total", "Changes that could not be committed", labels);
    commit_seconds_ = &metrics->histogram("segments_store_commit_seconds",
                                          "From the begin to the commit of a write", labels);
  }
  auto tell_checkpointer = [](void* writer, sqlite3*, const char*, int pages) {
    static_cast<Writer*>(writer)->checkpointer_.log_grew_to(pages);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(connection_->handle(), tell_checkpointer, this);
  thread_ = std::thread([this] { run(); });
}

Writer::~Writer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Writer::before_commit(std::function<void(Connection&)> f) {
  std::lock_guard lock(mutex_);
  before_commit_ = std::move(f);
  connection_->keep_notes();
}

void Writer::after_commit(std::function<void()> f) {
  std::lock_guard lock(mutex_);
  after_commit_ = std::move(f);
}

// One call of the system lets go of all who wait for a batch; std::atomic::notify_all() does too, but its
// wait() calls sched_yield() four times first.
void Writer::Gate::wait() {
  while (!is_open.load(std::memory_order_acquire))
    ::syscall(SYS_futex, &is_open, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

void Writer::Gate::open() {
  is_open.store(1, std::memory_order_release);
  ::syscall(SYS_futex, &is_open, FUTEX_WAKE_PRIVATE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
}

Writer::Waiting& Writer::add(Request& request) {
  if (queue_.empty() || queue_.back().requests.size() >= most_per_transaction) queue_.emplace_back();
  queue_.back().requests.push_back(&request);
  return queue_.back();
}

void Writer::write(Change change) {
  Request request{std::move(change)};
  auto gate = std::make_shared<Gate>();
  {
    std::lock_guard lock(mutex_);
    auto& waiting = add(request);
    if (!waiting.gate) waiting.gate = std::move(gate);
    gate = waiting.gate;
  }
  wake_.notify_one();
  gate->wait();
  if (request.error) std::rethrow_exception(request.error);
}

void Writer::submit(Request& request) {
  {
    std::lock_guard lock(mutex_);
    add(request);
  }
  wake_.notify_one();
}

void Writer::tell(Waiting& waiting) {
  // A request is gone as soon as it has ended.
  for (Request* request : waiting.requests)
    if (auto ended = std::move(request->ended)) ended();
  if (waiting.gate) waiting.gate->open();
}

void Writer::run() {
  Batch handovers([] {});  // of what is told to threads that go on with it
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Waiting waiting = std::move(queue_.front());
    queue_.pop_front();
    auto after_commit = after_commit_;
    lock.unlock();
    commit(waiting.requests);
    if (after_commit) after_commit();
    tell(waiting);
    handovers.end();
    lock.lock();
  }
}

void Writer::commit(const Requests& batch) {
  // Savepoints copy every page that a change touches; they are for the batch in which a change has failed.
  for (bool with_savepoints : {false, true}) {
    try {
      commit_together(batch, with_savepoints);
      return;
    } catch (const Busy& busy) {
      for (Request* request : batch) request->error = std::make_exception_ptr(apart(busy.reason));
      return;
    } catch (const std::exception&) {
      if (batch.size() == 1) {
        batch.front()->error = std::current_exception();
        return;
      }
    }
  }
  // One change may have broken the transaction for all, by what it wrote or by filling the disk: each alone
  // now.
  for (Request* request : batch) commit({request});
}

void Writer::commit_together(const Requests& batch, bool with_savepoints) {
  auto begun = std::chrono::steady_clock::now();
  std::optional<Turnstile::Turn> turn;
  try {
    turn.emplace(turnstile_, steady_ms() + busy_timeout_ms_);
    connection_->run("BEGIN IMMEDIATE");
  } catch (const Error& error) {
    if (failures_) failures_->add(batch.size());
    throw Busy{error};
  }
  try {
    connection_->notes() = {};
    for (Request* request : batch) with_savepoints ? run_alone(*request) : run_change(*request);
    if (before_commit_ && !connection_->notes().empty()) before_commit_(*connection_);
    connection_->run("COMMIT");
  } catch (const std::exception&) {
    if (connection_->in_transaction()) connection_->run("ROLLBACK");
    connection_->numbers().clear();
    if (failures_) failures_->add(1);
    throw;
  }
  if (!transactions_) return;
  transactions_->add();
  changes_->add(batch.size());
  commit_seconds_->observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
}

// What fails before it has written anything, as most refusals do, harms nobody.
void Writer::run_change(Request& request) {
  request.error = nullptr;
  const auto noted = connection_->notes().mark();
  const auto written = sqlite3_total_changes64(connection_->handle());
  try {
    request.change(*connection_);
  } catch (...) {
    if (!connection_->in_transaction() || sqlite3_total_changes64(connection_->handle()) != written) throw;
    request.error = std::current_exception();
    connection_->notes().undo_to(noted);
  }
}

void Writer::run_alone(Request& request) {
  request.error = nullptr;
  // What this change writes, and may undo, must not be what others have noted.
  if (before_commit_ && !connection_->notes().empty()) before_commit_(*connection_);
  connection_->run("SAVEPOINT \"change\"");
  try {
    request.change(*connection_);
  } catch (...) {
    // Some errors end the whole transaction; then all of its changes are run again, each alone.
    if (!connection_->in_transaction()) throw;
    request.error = std::current_exception();
    connection_->run("ROLLBACK TO \"change\"");
    connection_->numbers().clear();
    connection_->notes() = {};
  }
  connection_->run("RELEASE \"change\"");
}

}  // namespace segments::sqlite
