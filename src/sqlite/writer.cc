#include "sqlite/writer.h"

#include <sqlite3.h>

#include <algorithm>

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

void Writer::write(Change change) {
  Request request{std::move(change), nullptr, {}};
  auto done = request.done.get_future();
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(&request);
  }
  wake_.notify_one();
  done.wait();
  if (request.error) std::rethrow_exception(request.error);
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), most_per_transaction));
    Batch batch(queue_.begin(), end);
    queue_.erase(queue_.begin(), end);
    auto after_commit = after_commit_;
    lock.unlock();
    commit(batch);
    if (after_commit) after_commit();
    // The promise is moved out first: its request lives on the stack of a caller whom set_value() lets go.
    for (Request* request : batch) {
      std::promise<void> done = std::move(request->done);
      done.set_value();
    }
    lock.lock();
  }
}

void Writer::commit(const Batch& batch) {
  // Savepoints copy every page that a change touches; they are for the batch in which a change has failed.
  for (bool with_savepoints : {false, true}) {
    try {
      commit_together(batch, with_savepoints);
      return;
    } catch (const Busy& busy) {
      // Each caller gets an error of its own, as it is thrown on a thread of its own.
      const Error& reason = busy.reason;
      for (Request* request : batch)
        request->error = std::make_exception_ptr(
            Error(reason.kind(), std::string(reason.what()), {}, reason.retry_after_s()));
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

void Writer::commit_together(const Batch& batch, bool with_savepoints) {
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
    connection_->notes().clear();
    for (Request* request : batch) with_savepoints ? run_alone(*request) : run_change(*request);
    if (before_commit_ && !connection_->notes().empty()) before_commit_(*connection_);
    connection_->run("COMMIT");
  } catch (const std::exception&) {
    if (connection_->in_transaction()) connection_->run("ROLLBACK");
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
  const auto noted = connection_->notes().size();
  const auto written = sqlite3_total_changes64(connection_->handle());
  try {
    request.change(*connection_);
  } catch (...) {
    if (!connection_->in_transaction() || sqlite3_total_changes64(connection_->handle()) != written) throw;
    request.error = std::current_exception();
    connection_->notes().resize(noted);
  }
}

void Writer::run_alone(Request& request) {
  request.error = nullptr;
  const auto noted = connection_->notes().size();
  connection_->run("SAVEPOINT \"change\"");
  try {
    request.change(*connection_);
  } catch (...) {
    // Some errors end the whole transaction; then all of its changes are run again, each alone.
    if (!connection_->in_transaction()) throw;
    request.error = std::current_exception();
    connection_->run("ROLLBACK TO \"change\"");
    connection_->notes().resize(noted);
  }
  connection_->run("RELEASE \"change\"");
}

}  // namespace segments::sqlite
