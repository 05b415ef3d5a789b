// The idle connections of an HttpClient, by origin; the last one used is the next to be used. Any thread may
// use it.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "aws/http_connection.h"

namespace segments::aws {

class ConnectionPool {
 public:
  struct Kept {
    std::unique_ptr<HttpConnection> connection;
    Millis made = 0, idle_since = 0;  // of the pool's clock
  };

  explicit ConnectionPool(HttpClient::Options options) : options_(std::move(options)) {}
  const HttpClient::Options& options() const { return options_; }

  // One that is usable as far as can be told without sending; empty where there is none.
  Kept take(const Origin&, int most_idle_ms);
  void give_back(const Origin&, Kept);
  bool is_fresh(const Kept&, int most_idle_ms) const;

 private:
  struct Idle {
    Origin origin;
    std::vector<Kept> connections;
  };
  std::vector<Kept>& idle_of(const Origin&);
  Kept pop(const Origin&);

  const HttpClient::Options options_;
  std::mutex mutex_;
  std::vector<Idle> idle_;  // there are two or three origins at most
};

}  // namespace segments::aws
