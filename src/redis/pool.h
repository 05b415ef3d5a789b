// The connections of one client. Any thread may call it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "redis/backoff.h"
#include "redis/client.h"
#include "redis/connection.h"

namespace segments::redis {

class Client::Pool {
 public:
  Pool(Url, Timeouts, std::size_t most_connections);

  // A connection for one caller. Closed when it goes, unless it was given back.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    // One round trip; error replies are returned. The answer may take `longer_ms` longer than usual.
    std::vector<Reply> exchange(std::string_view commands, std::size_t count, int longer_ms = 0);
    // After an exchange that came to its end. Some error replies end the connection all the same.
    void give_back(const std::vector<Reply>& replies);

   private:
    Pool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  Lease lease();
  std::vector<Reply> exchange(std::string_view commands, std::size_t count, int longer_ms = 0);
  void end_by(Millis moment) { end_by_ = moment; }
  const Url& url() const { return url_; }

 private:
  Millis deadline(Millis patience_ms) const { return std::min<Millis>(steady_ms() + patience_ms, end_by_); }
  struct Idle {
    std::unique_ptr<Connection> connection;
    Millis since;
  };
  bool is_usable(Idle&) const;
  std::unique_ptr<Connection> connect(bool has_failed);
  void ping(Connection&) const;
  void close_idle(const std::unique_lock<std::mutex>&, std::vector<Idle>& closed);
  void note_failure(const Error&);
  void note_success();
  void let_go();  // one connection less

  const Url url_;
  const Timeouts timeouts_;
  const std::size_t most_;
  std::atomic<Millis> end_by_ = std::numeric_limits<Millis>::max();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Idle> idle_;   // the last one used is the next one to be used
  std::size_t open_ = 0;     // idle, leased or being connected
  Backoff backoff_;          // of a server that cannot be reached, or did not answer in time
  Millis next_attempt_ = 0;  // where backoff_ is failing
  bool is_attempting_ = false;
  std::optional<Error> refusal_;
};

}  // namespace segments::redis
