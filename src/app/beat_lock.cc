#include "app/beat_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"

namespace segments {
namespace {

class FileBeatLock : public BeatLock {
 public:
  explicit FileBeatLock(const std::filesystem::path& path)
      : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (file_ < 0)
      throw Error(ErrorKind::unavailable,
                  "The file " + path.string() + " cannot be opened: " + std::strerror(errno) + ".");
  }
  ~FileBeatLock() override { close(file_); }  // and with it the lock: the slots' processes do not have it
  FileBeatLock(const FileBeatLock&) = delete;
  FileBeatLock& operator=(const FileBeatLock&) = delete;

  bool hold() override {
    while (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return false;
      throw Error(ErrorKind::unavailable,
                  std::string("The beat's file cannot be locked: ") + std::strerror(errno));
    }
    return true;
  }

 private:
  int file_;
};

const redis::Script& hold_script() {
  static const redis::Script script(R"lua(
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
)lua");
  return script;
}

const redis::Script& release_script() {
  static const redis::Script script(R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
)lua");
  return script;
}

class RedisBeatLock : public BeatLock {
 public:
  RedisBeatLock(redis::Client& client, Millis lock_ms) : client_(client), lock_ms_(std::to_string(lock_ms)) {}
  ~RedisBeatLock() override {
    if (!is_held_) return;
    try {
      client_.run(release_script(), keys_, std::array{token_});
    } catch (const std::exception& error) {
      // It ends by itself.
      log_warning("beat.not_released", {{"error", error.what()}});
    }
  }
  RedisBeatLock(const RedisBeatLock&) = delete;
  RedisBeatLock& operator=(const RedisBeatLock&) = delete;

  bool hold() override {
    // Where no answer comes, none would come at the end either: the lock is left to its time.
    is_held_ = false;
    is_held_ = client_.run(hold_script(), keys_, std::array{token_, lock_ms_}).integer == 1;
    return is_held_;
  }

 private:
  redis::Client& client_;
  const std::string lock_ms_, token_ = make_secret(16);
  const std::array<std::string, 1> keys_{beat_lock_key};
  bool is_held_ = false;
};

}  // namespace

std::unique_ptr<BeatLock> make_file_lock(const std::filesystem::path& path) {
  return std::make_unique<FileBeatLock>(path);
}

std::unique_ptr<BeatLock> make_redis_lock(redis::Client& client, Millis lock_ms) {
  return std::make_unique<RedisBeatLock>(client, lock_ms);
}

}  // namespace segments
