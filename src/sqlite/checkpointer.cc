#include "sqlite/checkpointer.h"

#include <sqlite3.h>

#include "base/error.h"
#include "base/log.h"

namespace segments::sqlite {

namespace {

constexpr int pages_between_checkpoints = 12'000;  // 48 MB
constexpr int most_pages = 32'000;                 // 128 MB: then the log is started anew
constexpr int wait_for_turn_ms = 2'000;

}  // namespace

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
  pages_ = pages;
  if (pages_ - moved_ >= pages_between_checkpoints) wake_.notify_one();
}

void Checkpointer::checkpoint(int mode) {
  int code = sqlite3_wal_checkpoint_v2(connection_->handle(), nullptr, mode, nullptr, nullptr);
  // Busy: another process is at it, or a reader needs the log as it is; the next time will do.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
    log_warning("store.checkpoint_failed", {{"file", connection_->file().string()}, {"code", code}});
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || pages_ - moved_ >= pages_between_checkpoints; });
    if (stopping_) return;
    int pages = pages_;
    lock.unlock();
    checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    if (pages >= most_pages) start_log_anew();
    lock.lock();
    moved_ = pages;
  }
}

void Checkpointer::start_log_anew() {
  try {
    Turnstile::Turn turn(turnstile_, steady_ms() + wait_for_turn_ms);
    // Little is left to move: what was committed since the passive checkpoint a moment ago.
    checkpoint(SQLITE_CHECKPOINT_RESTART);
  } catch (const Error&) {
    log_warning("store.checkpoint_failed", {{"file", connection_->file().string()}, {"reason", "no turn"}});
  }
}

}  // namespace segments::sqlite
