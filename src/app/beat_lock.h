// Which of all that could do the periodic work does it. At most one holds the lock; when it dies another gets
// it: at once where it is a file's, after `lock_ms` where it is in Redis.
#pragma once

#include <filesystem>
#include <memory>

#include "base/time.h"
#include "redis/client.h"

namespace segments {

class BeatLock {
 public:
  virtual ~BeatLock() = default;  // gives it back where it is held
  // Takes the lock, or keeps it for longer. False: it is somebody else's. Throws Error where that cannot be
  // known: it is not held then.
  virtual bool hold() = 0;
};

// Among the processes that work on one data folder.
std::unique_ptr<BeatLock> make_file_lock(const std::filesystem::path&);
// Among those on one Redis. Whoever is held up for longer than lock_ms has lost it without knowing; what is
// done twice then must be harmless.
std::unique_ptr<BeatLock> make_redis_lock(redis::Client&, Millis lock_ms);

inline constexpr const char* beat_lock_key = "segments:beat";

}  // namespace segments
