// From a request to its answer: finds the route, opens the request's scope (id, log, metrics), catches what
// handlers throw and turns it into application/problem+json. Knows no socket, so tests call it directly. Any
// thread may call.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/metrics.h"
#include "http/request.h"
#include "http/response.h"

namespace segments {

// Where a handler runs: on the I/O thread (microseconds, a read of SQLite), or on the pool (waits for disks,
// networks, commits).
enum class Runs { inline_, on_pool };

// Receives the body of an upload piece by piece, on the pool. Destroyed without finish(): the client went
// away.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual void write(std::string_view piece) = 0;
  virtual Response finish() = 0;
};

struct RouteHandler {
  std::string method;
  std::string
      pattern;  // "/api/segments/{segment_id}", "/media/{key...}" (the rest of the path, with slashes)
  Runs runs = Runs::inline_;
  bool is_public = false;  // admit() may leave it without a user
  std::function<Response(const Request&)> handle;
  // Instead of handle, for PUT of bytes: decides from the head alone whether the body is taken.
  std::function<std::unique_ptr<BodySink>(const Request&)> receive;
  // Requests of an inline route that wait all the same: true sends this one to the pool. Runs before the
  // handler has judged the request, on the I/O thread; it must not throw.
  std::function<bool(const Request&)> waits = nullptr;

  bool is_for_pool(const Request& request) const {
    return runs == Runs::on_pool || (waits && waits(request));
  }
};

struct RouterOptions {
  // Sets request.user or throws Error{unauthorized, rate_limited}. Runs before every handler; `is_public` of
  // the route.
  std::function<void(Request&, bool is_public)> admit;
  // Headers added to every answer, errors too (CORS). Also answers the preflight: status 204 for OPTIONS on a
  // known path.
  std::function<void(const Request&, Response&)> decorate;
  Metrics* metrics = nullptr;
};

class Router {
 public:
  Router(std::vector<RouteHandler> routes, RouterOptions);

  struct Match {
    const RouteHandler* route =
        nullptr;  // null: `answer` is the answer (404, 405 with Allow, preflight, 400)
    Response answer;
    const RouteHandler* found = nullptr;  // for conclude(): the route, also where admit() refused the request
  };
  // Fills path, query, path parameters and request id; matches and admits. Never throws.
  Match prepare(Request&) const;
  // Runs the handler within the request's scope. Never throws. HEAD runs GET's handler; the server drops the
  // body. The answer may be there later only.
  Response begin(const RouteHandler&, const Request&) const;
  // What has become ready of an answer that was there later. Never throws.
  Response go_on(LaterResponse&, const Request&) const;
  // The whole answer: this thread waits for what there is to wait for.
  Response respond(const RouteHandler&, const Request&) const;
  // The same for uploads: begin() gives a sink, or an answer that refuses. write/finish through the guards
  // below.
  struct Upload {
    std::unique_ptr<BodySink> sink;
    Response refusal;  // when there is no sink
  };
  Upload begin_upload(const RouteHandler&, const Request&) const;
  std::optional<Response> write_upload(BodySink&, const Request&,
                                       std::string_view piece) const;  // an answer ends the upload
  Response finish_upload(BodySink&, const Request&) const;

  // prepare() and respond() (or the whole upload from request.body) in one, for tests and tools.
  Response call(Request) const;
  // An id for the log and the answer: the caller's own X-Request-Id where it is well-formed, else a fresh
  // one.
  void identify(Request&) const;
  // Adds the decoration, request id, and writes log line and metrics. The server calls it once per request,
  // with the final answer.
  void conclude(const Request&, const RouteHandler*, Response&, double seconds) const;

  const std::vector<RouteHandler>& routes() const { return routes_; }

 private:
  struct Table;  // the index of patterns and the metrics of each route

  std::vector<RouteHandler> routes_;
  RouterOptions options_;
  std::shared_ptr<const Table> table_;
};

// RFC 9457. Internal errors say nothing of their cause.
Response problem_response(const Error&, const Request&);
int status_of(ErrorKind);

}  // namespace segments
