// Whether the service can do its work now, part by part. Looked at once a second at most, however often it is
// asked, and on threads of their own: a store that is kept busy answers late, but whoever asks is told in
// time, and what the other parts say is not held up by it.
#pragma once

#include <array>
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
  explicit Readiness(Services&);
  ~Readiness();
  // Any thread may call. A part that has not answered within 2 s is not ready.
  ReadinessReport report();

 private:
  using Checks = std::map<std::string, ReadinessCheck>;
  // Parts that are looked at one after the other, since what one says rests on another.
  struct Look {
    void (Readiness::*at)(Look&) = nullptr;
    std::thread looker;
    bool is_under_way = false;
    Millis begun_at = 0;  // these two of the clock that never goes back; 0: never
    Millis ended_at = 0;
    Checks checks;  // of the newest look, as far as it has come
  };

  void look_at_store(Look&);
  void look_at_objects(Look&);
  void look_at_queue(Look&);
  void begin(Look&);
  void put(Look&, const char* part, ReadinessCheck);

  Services& services_;
  std::mutex mutex_;
  std::condition_variable looked_;
  std::array<Look, 3> looks_;
};

}  // namespace segments
