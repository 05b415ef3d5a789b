// Whether the service can do its work now, part by part. Looked at once a second at most, however often it is
// asked.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

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
  ReadinessReport report();

 private:
  void look();
  Services& services_;
  std::mutex mutex_;
  Millis looked_at_ = 0;  // of the clock that never goes back; 0: never
  ReadinessReport last_;
};

}  // namespace segments
