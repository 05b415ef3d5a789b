#include "aws/http_client.h"

#include <algorithm>

#include "aws/connection_pool.h"
#include "aws/watched_connections.h"
#include "base/error.h"

namespace segments::aws {

HttpClient::HttpClient(Options options) : pool_(std::make_shared<ConnectionPool>(std::move(options))) {}

HttpClient::~HttpClient() = default;

HttpOutcome HttpClient::send(const Origin& origin, const HttpRequest& request, Millis deadline) {
  const auto& options = pool_->options();
  auto kept = pool_->take(origin, request.is_repeatable ? options.idle_ms : options.trusted_idle_ms);
  if (!kept.connection) {
    auto connected_by = std::min(deadline, steady_ms() + options.connect_ms);
    try {
      kept.made = options.clock();
      kept.connection = std::make_unique<HttpConnection>(origin, options.ca_file, connected_by);
    } catch (const Error& error) {
      return {.failure = error.what(), .is_timeout = steady_ms() >= connected_by};
    }
  }
  auto outcome = kept.connection->exchange(request, {deadline, options.stall_ms, options.limits});
  if (kept.connection->is_reusable()) pool_->give_back(origin, std::move(kept));
  return outcome;
}

bool HttpClient::begin(const Origin& origin, HttpRequest&& request, Millis deadline, Done&& done) {
  auto* watcher = Watcher::of_this_thread();
  if (!watcher) return false;
  auto& kept = watcher->kept_for(pool_.get());
  if (!kept) kept = std::make_shared<WatchedConnections>(pool_, *watcher);
  return static_cast<WatchedConnections*>(kept.get())
      ->begin(origin, std::move(request), deadline, std::move(done));
}

}  // namespace segments::aws
