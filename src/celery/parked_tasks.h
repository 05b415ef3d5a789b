// What this process has parked in `unacked` until it is due, as far as remote control asks for it. The
// messages themselves stay in Redis: there may be very many. Any thread may call.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"

namespace segments::celery {

struct ParkedTask {
  std::string id, name;
  Millis due = 0;
  std::int64_t fence = 0;
  bool limited = false;  // by a rate limit; else it has an eta
};

class ParkedTasks {
 public:
  void add(ParkedTask);              // in place of one of the same id
  bool take(const std::string& id);  // false: it was not here
  void prune(Millis before);         // drops what was due before then

  // Not due yet, the earliest first and no more than `most`; all of them where `wanted` is empty.
  std::vector<ParkedTask> list(Millis now, const std::function<bool(const ParkedTask&)>& wanted = {},
                               std::size_t most = SIZE_MAX) const;
  std::vector<ParkedTask> find(Millis now, std::span<const std::string> ids) const;

 private:
  bool remove(const std::string& id);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, ParkedTask> tasks_;   // by id
  std::set<std::pair<Millis, std::string>> due_times_;  // with the id
};

}  // namespace segments::celery
