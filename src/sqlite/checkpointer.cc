#include "sqlite/checkpointer.h"

#include <sqlite3.h>

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "sqlite/log_index.h"

namespace segments::sqlite {

namespace {

constexpr int pages_between_checkpoints = 12'000;  // 48 MB
constexpr int most_pages = 32'000;                 // 128 MB: then the log is started anew
constexpr int pages_left_when_quiet = 250;  // at most; to move each single change at once would cost more
constexpr auto quiet = std::chrono::seconds(1);
constexpr int wait_for_turn_ms = 2'000;

void checkpoint(Connection& connection, int mode) {
  int code = sqlite3_wal_checkpoint_v2(connection.handle(), nullptr, mode, nullptr, nullptr);
  // Busy: a reader needs the log as it is; the next time will do.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
    log_warning("store.checkpoint_failed", {{"file", connection.file().string()}, {"code", code}});
}

// Only checkpoints move pages, so that it stays true for whoever alone may begin one.
bool has_pages_to_move(Connection& connection) {
  connection.find_integer("SELECT count(*) FROM sqlite_master");  // opens the index
  const LogIndex index(connection.handle());
  return index && index.has_pages_to_move();
}

}  // namespace

// SQLite (3.40, and others) loses commits where a checkpoint begins while all pages are moved and a writer
// starts the log anew just then: the checkpoint goes by the old log's length, and marks as moved what is in
// the new one, which no reader then sees. No writer can do so while a page is left to move, and only who has
// the right could move it.
bool move_pages(Connection& connection, Turnstile& turnstile) {
  Turnstile::CheckpointRight right(turnstile);
  if (!right || !has_pages_to_move(connection)) return false;
  checkpoint(connection, SQLITE_CHECKPOINT_PASSIVE);
  return true;
}

Checkpointer::Checkpointer(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)), turnstile_(connection_->file()), thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::log_grew_to(int pages) {
  std::lock_guard lock(mutex_);
  // Fewer pages than at the last checkpoint: the log was started anew.
  if (pages < moved_) moved_ = 0;
  const int before = pages_ - moved_;
  pages_ = pages;
  const int now = pages_ - moved_;
  if (now >= pages_between_checkpoints || (before <= pages_left_when_quiet && now > pages_left_when_quiet))
    wake_.notify_one();
}

// Until there are many, or some and no more come. False when it is to end.
bool Checkpointer::wait_for_pages(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || pages_ - moved_ > pages_left_when_quiet; });
    const int seen = pages_;
    auto is_due = [this] { return stopping_ || pages_ - moved_ >= pages_between_checkpoints; };
    const bool is_many = wake_.wait_for(lock, quiet, is_due);
    if (stopping_) return false;
    if (is_many || pages_ == seen) return true;
  }
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  while (wait_for_pages(lock)) {
    int pages = pages_;
    lock.unlock();
    try {
      move_pages(*connection_, turnstile_);
      if (pages >= most_pages) start_log_anew();
    } catch (const Error& error) {
      log_warning("store.checkpoint_failed",
                  {{"file", connection_->file().string()}, {"reason", error.what()}});
    }
    lock.lock();
    moved_ = pages;
  }
}

void Checkpointer::start_log_anew() {
  Turnstile::CheckpointRight right(turnstile_);
  if (!right) return;
  Turnstile::Turn turn(turnstile_, steady_ms() + wait_for_turn_ms);
  // Little is left to move: what was committed since the passive checkpoint a moment ago.
  checkpoint(*connection_, SQLITE_CHECKPOINT_RESTART);
}

}  // namespace segments::sqlite
