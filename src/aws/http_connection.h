// One connection of an HttpClient: carries one exchange after another. For one thread at a time; only to be
// closed after an exchange that failed.
#pragma once

#include <exception>
#include <memory>
#include <optional>

#include "aws/http_client.h"
#include "net/stream.h"

namespace segments::aws {

class HttpConnection {
 public:
  struct Bounds {
    Millis deadline;  // of steady_ms()
    int stall_ms;
    ResponseReader::Limits limits;
  };
  class Exchange;

  // Throws Error{unavailable}.
  HttpConnection(const Origin&, const std::string& ca_file, Millis deadline);

  // Waits for the whole of it.
  HttpOutcome exchange(const HttpRequest&, const Bounds&);
  // May carry a further exchange, as far as the last one says.
  bool is_reusable() const { return is_reusable_; }
  // The server has neither closed it nor sent anything that nobody asked for.
  bool is_quiet();
  // For how long the server keeps it open, as it said; -1 where it did not.
  int kept_open_ms() const { return kept_open_ms_; }
  int number() const { return stream_->number(); }  // of the descriptor

 private:
  class Sending;

  const std::string name_, authority_;  // the server's: for errors, for requests
  std::unique_ptr<net::Stream> stream_;
  bool is_reusable_ = false;
  int kept_open_ms_ = -1;
};

// One exchange, which moves what can be moved without waiting; who waits is the caller's affair. Connection
// and request must outlive it.
class HttpConnection::Exchange {
 public:
  Exchange(HttpConnection&, const HttpRequest&, const Bounds&);
  ~Exchange();

  // The events after which it goes on; 0: it is over. Throws what the caller's body and sink throw.
  short go_on();
  void fail(const Error&);  // it is over
  void time_out();          // it is over: nothing came in time
  HttpOutcome finish();     // once it is over

 private:
  short carry();

  HttpConnection& connection_;
  const Bounds bounds_;
  std::exception_ptr callers_;  // thrown by the caller's own body or sink: no failure of the connection
  std::unique_ptr<Sending> sending_;
  ResponseReader reader_;
  std::optional<Error> send_failure_;
  std::string failure_;
  bool has_read_ = false, is_timeout_ = false;
};

}  // namespace segments::aws
