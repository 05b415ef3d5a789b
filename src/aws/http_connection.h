// One connection of an HttpClient: carries one exchange after another. For one thread at a time; only to be
// closed after an exchange that failed.
#pragma once

#include <memory>

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

  // Throws Error{unavailable}.
  HttpConnection(const Origin&, const std::string& ca_file, Millis deadline);

  HttpOutcome exchange(const HttpRequest&, const Bounds&);
  // May carry a further exchange, as far as the last one says.
  bool is_reusable() const { return is_reusable_; }
  // The server has neither closed it nor sent anything that nobody asked for.
  bool is_quiet();
  // For how long the server keeps it open, as it said; -1 where it did not.
  int kept_open_ms() const { return kept_open_ms_; }

 private:
  class Sending;
  void carry(Sending&, ResponseReader&, const Bounds&, bool& is_timeout);
  bool wait(short events, const Bounds&);

  const std::string name_, authority_;  // the server's: for errors, for requests
  std::unique_ptr<net::Stream> stream_;
  bool is_reusable_ = false;
  int kept_open_ms_ = -1;
};

}  // namespace segments::aws
