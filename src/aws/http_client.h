// A blocking HTTP/1.1 client with connections of its own, kept open between requests. It never sends a
// request twice: it says whether one may have reached the server, and the caller decides. No redirects are
// followed, no proxy is used, no cookies, no `Expect: 100-continue`.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "aws/body.h"
#include "aws/origin.h"
#include "aws/response_reader.h"
#include "base/time.h"

namespace segments::aws {

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, encoded, sent as it is
  Headers headers = {};      // without host, content-length and connection, which are written from the rest
  Body body = {};
  // May be carried out twice. If not, it gets a connection that is new or was used a moment ago, so that it
  // is seldom lost on one that the server has given up meanwhile. It cannot be excluded: a connection that
  // was closed before the server read the request looks like one that was closed after.
  bool is_repeatable = false;
  Sink sink = {};           // takes the body of a 2xx answer; where there is none, it is collected
  HeadSink head_sink = {};  // is told of a 2xx answer before its body comes
};

// What became of a request.
struct HttpOutcome {
  enum class Kind {
    answered,
    not_sent,    // certainly not carried out: no byte of it left
    maybe_sent,  // some of it left, and no whole answer came
  };
  Kind kind = Kind::not_sent;
  HttpResponse response = {};   // where it was answered
  std::string failure = {};     // else: one sentence, without address and secrets
  bool is_timeout = false;      // it failed because nothing came in time
  std::uint64_t delivered = 0;  // bytes of body that the sink was given, even if it failed after them
};

class ConnectionPool;

class HttpClient {
 public:
  struct Options {
    std::string ca_file = {};  // PEM; empty: the system's
    int connect_ms = 2'000;    // for looking up, connecting and TLS together
    int stall_ms = 5'000;      // nothing was sent or received for so long
    // A connection is used again until it was idle for so long (or for what the server's Keep-Alive header
    // says, less a second), or is so old. DynamoDB and S3 close theirs after a minute or more.
    int idle_ms = 20'000;
    int trusted_idle_ms = 1'000;  // the same for requests that are not repeatable
    int most_age_ms = 300'000;
    std::size_t most_idle = 64;  // connections kept for one origin; more are closed after use
    ResponseReader::Limits limits = {};
    std::function<Millis()> clock = steady_ms;  // for idle and age
  };

  // Does not connect yet. Any thread may call it; each call has a connection for itself. Not to be used in a
  // forked child, whose sockets are its parent's.
  explicit HttpClient(Options);
  HttpClient() : HttpClient(Options()) {}
  ~HttpClient();

  // Waits at most until `deadline` (of steady_ms()). Failures of the network and answers that are no HTTP are
  // outcomes; throws only what body and sink throw.
  HttpOutcome send(const Origin&, const HttpRequest&, Millis deadline);

  // The same for a thread with a Watcher, which does not wait: `done` is called on it, perhaps before this
  // returns, and where the watcher ends, too; it must not throw. For requests in memory, without sinks. False
  // where there is no connection at hand: then nothing is taken, and send() makes one.
  using Done = std::function<void(HttpOutcome&&)>;
  bool begin(const Origin&, HttpRequest&&, Millis deadline, Done&&);

 private:
  std::shared_ptr<ConnectionPool> pool_;  // what is kept by watchers keeps it, too
};

}  // namespace segments::aws
