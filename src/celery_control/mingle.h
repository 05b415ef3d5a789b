// Asks the cluster's other workers, as one begins, what they know: `hello`. For one thread; nothing waits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "celery/control_message.h"
#include "redis/client.h"

namespace segments::celery {

class Mingle {
 public:
  static constexpr Millis patience_ms = 1'000;  // for all answers together, as Celery has it
  static constexpr Millis poll_ms = 20;

  // Throws what redis::Client throws; then it is not open.
  void begin(redis::Client&, const std::string& node, const std::vector<std::string>& revoked,
             std::int64_t clock);
  bool is_open() const { return open_; }
  // The answers that have come. Closes when everybody who listened has answered, or has had the time to.
  std::vector<ControlReply> poll(redis::Client&);

 private:
  void close(redis::Client&);

  bool open_ = false;
  std::string oid_, ticket_;
  std::int64_t missing_ = 0;  // answers
  Millis until_ = 0;
};

}  // namespace segments::celery
