// The HTTP/1.1 server: Boost.Asio and Beast, coroutines on a few I/O threads, a bounded pool for handlers
// that wait.
#pragma once

#include <memory>
#include <string>

#include "base/metrics.h"
#include "http/router.h"

namespace segments {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8000;  // 0 takes a free one
  int io_threads = 2;
  int pool_threads = 64;
  int pool_queue = 4096;  // handlers that wait for a pool thread; beyond: 503 with Retry-After
  int max_connections = 20'000;
  int header_seconds = 10;                   // a request's head must be there within
  int body_seconds = 30;                     // each 64 KiB of a body must come within; a JSON body as a whole
  int idle_seconds = 75;                     // between requests
  std::size_t max_head_bytes = 16 * 1024;    // beyond: 431 (414 for the request line)
  std::size_t max_body_bytes = 1024 * 1024;  // of JSON bodies; beyond: 413
  int drain_seconds = 10;                    // a graceful stop finishes what runs within
};

class Server {
 public:
  Server(const Router&, const ServerOptions&, Metrics* = nullptr);
  ~Server();     // stops at once
  void start();  // binds and returns; Error{unavailable} when the address is taken
  int port() const;
  // Stops taking, finishes what runs, closes event streams; returns when done or after drain_seconds.
  void stop();

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace segments
