#include "aws/http_client.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "aws/http_connection.h"
#include "base/error.h"

namespace segments::aws {

// Idle connections, by origin; the last one used is the next to be used.
class HttpClient::Pool {
 public:
  struct Kept {
    std::unique_ptr<HttpConnection> connection;
    Millis made = 0, idle_since = 0;  // of the pool's clock
  };

  explicit Pool(const Options& options) : options_(options) {}

  // One that is usable as far as can be told without sending; empty where there is none.
  Kept take(const Origin& origin, int most_idle_ms) {
    while (true) {
      auto kept = pop(origin);
      if (!kept.connection || (is_fresh(kept, most_idle_ms) && kept.connection->is_quiet())) return kept;
    }
  }

  void give_back(const Origin& origin, Kept kept) {
    kept.idle_since = options_.clock();
    std::lock_guard lock(mutex_);
    auto& idle = idle_of(origin);
    idle.push_back(std::move(kept));
    // The first is the one that has been idle for longest.
    if (idle.size() > options_.most_idle) idle.erase(idle.begin());
  }

 private:
  // There are two or three at most.
  std::vector<Kept>& idle_of(const Origin& origin) {
    auto at = std::ranges::find(idle_, origin, &Idle::origin);
    if (at == idle_.end()) at = idle_.insert(at, {origin, {}});
    return at->connections;
  }

  Kept pop(const Origin& origin) {
    std::lock_guard lock(mutex_);
    auto& idle = idle_of(origin);
    if (idle.empty()) return {};
    auto kept = std::move(idle.back());
    idle.pop_back();
    return kept;
  }

  bool is_fresh(const Kept& kept, int most_idle_ms) const {
    int told_ms = kept.connection->kept_open_ms();
    auto most = told_ms < 0 ? most_idle_ms : std::min(most_idle_ms, told_ms - 1'000);
    auto now = options_.clock();
    return now - kept.idle_since < most && now - kept.made < options_.most_age_ms;
  }

  const Options& options_;
  std::mutex mutex_;
  struct Idle {
    Origin origin;
    std::vector<Kept> connections;
  };
  std::vector<Idle> idle_;
};

HttpClient::HttpClient(Options options)
    : options_(std::move(options)), pool_(std::make_unique<Pool>(options_)) {}

HttpClient::~HttpClient() = default;

HttpOutcome HttpClient::send(const Origin& origin, const HttpRequest& request, Millis deadline) {
  auto kept = pool_->take(origin, request.is_repeatable ? options_.idle_ms : options_.trusted_idle_ms);
  if (!kept.connection) {
    auto connected_by = std::min(deadline, steady_ms() + options_.connect_ms);
    try {
      kept.made = options_.clock();
      kept.connection = std::make_unique<HttpConnection>(origin, options_.ca_file, connected_by);
    } catch (const Error& error) {
      return {.failure = error.what(), .is_timeout = steady_ms() >= connected_by};
    }
  }
  auto outcome = kept.connection->exchange(request, {deadline, options_.stall_ms, options_.limits});
  if (kept.connection->is_reusable()) pool_->give_back(origin, std::move(kept));
  return outcome;
}

}  // namespace segments::aws
