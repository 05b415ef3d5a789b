#include "http/route_metrics.h"

namespace segments::http {

RouteMetrics::RouteMetrics(Metrics* metrics, std::string route, std::string method)
    : metrics_(metrics), route_(std::move(route)), method_(std::move(method)) {
  if (metrics_)
    seconds_ = &metrics_->histogram("http_request_duration_seconds",
                                    "Time from a request's head to its answer.", {{"route", route_}});
}

Counter& RouteMetrics::look_up(int status) const {
  return metrics_->counter("http_requests_total", "Requests answered.",
                           {{"route", route_}, {"method", method_}, {"status", std::to_string(status)}});
}

void RouteMetrics::record(int status, double seconds) const {
  if (!metrics_) return;
  seconds_->observe(seconds);
  int slot = (status / 100 - 1) * 32 + status % 100;
  if (status < 100 || status > 599 || status % 100 >= 32) {
    look_up(status).add();
    return;
  }
  auto& known = by_status_[static_cast<std::size_t>(slot)];
  Counter* counter = known.load(std::memory_order_acquire);
  if (!counter) {
    counter = &look_up(status);
    known.store(counter, std::memory_order_release);
  }
  counter->add();
}

}  // namespace segments::http
