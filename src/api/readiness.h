// Whether the service can do its work now, part by part. Looked at once a second at most, however often it is
// asked, and on a thread of its own: a store that is kept busy answers late, but whoever asks is told in
// time.
#pragma once

#include <boost/describe.hpp>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/time.h"
#include "services/services.h"

namespace segments {

struct ReadinessCheck {
  bool ok = false;
  std::int64_t age_ms = 0;  // since it was looked at; of the worker: since its last heartbeat
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(ReadinessCheck, (), (ok, age_ms, detail))

struct ReadinessReport {
  std::string status = "ready";                  // or "unready"
  std::map<std::string, ReadinessCheck> checks;  // store, objects, disk, queue, worker
};
BOOST_DESCRIBE_STRUCT(ReadinessReport, (), (status, checks))

class Readiness {
 public:
  explicit Readiness(Services& services) : services_(services) {}
  ~Readiness();
  // Any thread may call. A part that has not answered within 2 s is not ready.
  ReadinessReport report();

 private:
  using Checks = std::map<std::string, ReadinessCheck>;

  void begin_look();
  void look();
  void put(const char* name, ReadinessCheck);

  Services& services_;
  std::mutex mutex_;
  std::condition_variable looked_;
  bool is_looking_ = false;
  Millis begun_at_ = 0;  // these two of the clock that never goes back; 0: never
  Millis looked_at_ = 0;
  Checks checks_;  // of the newest look, as far as it has come
  std::thread looker_;
};

}  // namespace segments
