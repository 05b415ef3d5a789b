#include "sqlite/turnstile.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"

namespace segments::sqlite {

namespace {

// Who holds `next` is the next to get `turn`. Whoever ends a turn must get `next` before another turn, and
// cannot while somebody waits with it.
constexpr off_t next_byte = 0;
constexpr off_t turn_byte = 1;
constexpr off_t checkpoint_byte = 2;

// Locks of the open file, not of the process: two writers in one process exclude each other too.
bool set_lock(int file, off_t byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return ::fcntl(file, F_OFD_SETLK, &lock) == 0;
}

bool wait_for(int file, off_t byte, Millis deadline) {
  auto pause = std::chrono::microseconds(50);
  while (!set_lock(file, byte, F_WRLCK)) {
    if (steady_ms() > deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(1'000));
  }
  return true;
}

}  // namespace

Turnstile::Turnstile(const std::filesystem::path& database)
    : file_(::open((database.string() + "-turn").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}

Turnstile::~Turnstile() {
  if (file_ >= 0) ::close(file_);
}

Turnstile::CheckpointRight::CheckpointRight(Turnstile& turnstile)
    : file_(turnstile.file_), is_granted_(file_ >= 0 && set_lock(file_, checkpoint_byte, F_WRLCK)) {}

Turnstile::CheckpointRight::~CheckpointRight() {
  if (is_granted_) set_lock(file_, checkpoint_byte, F_UNLCK);
}

Turnstile::Turn::Turn(Turnstile& turnstile, Millis deadline) : file_(turnstile.file_) {
  if (file_ < 0) return;
  bool is_next = wait_for(file_, next_byte, deadline);
  bool is_granted = is_next && wait_for(file_, turn_byte, deadline);
  if (is_next) set_lock(file_, next_byte, F_UNLCK);
  if (!is_granted) throw Error(ErrorKind::unavailable, "The database is busy; try again.", {}, 1);
}

Turnstile::Turn::~Turn() {
  if (file_ >= 0) set_lock(file_, turn_byte, F_UNLCK);
}

}  // namespace segments::sqlite
