// The metrics of one route, looked up once. Recording takes no lock after the first answer of each status.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <string_view>

#include "base/metrics.h"

namespace segments::http {

class RouteMetrics {
 public:
  // `metrics` may be null: nothing is recorded then.
  RouteMetrics(Metrics* metrics, std::string route, std::string method);
  void record(int status, double seconds) const;

 private:
  Counter& look_up(int status) const;

  Metrics* metrics_;
  std::string route_;
  std::string method_;
  Histogram* seconds_ = nullptr;
  // 32 of each hundred: every registered status but 451.
  mutable std::array<std::atomic<Counter*>, 160> by_status_{};
};

}  // namespace segments::http
