// One HTTP/1.1 response out of the bytes of a connection, however they are cut. What leaves doubt where it
// ends is refused: a body without a length that could be cut unseen, two lengths, a length beside chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "aws/headers.h"
#include "base/error.h"

namespace segments::aws {

struct HttpResponse {
  int status = 0;
  Headers headers = {};
  std::string body = {};  // empty where a sink took it
};

// Takes a body's bytes as they come. What it throws passes through, and ends the connection.
using Sink = std::function<void(std::string_view)>;
// Told the status and headers of a response before a sink gets any of its body. What it throws passes
// through, and ends the connection.
using HeadSink = std::function<void(const HttpResponse&)>;

class ResponseReader {
 public:
  struct Limits {
    std::size_t head_bytes = 64 << 10;    // also of a chunk's line and of trailers
    std::uint64_t body_bytes = 32 << 20;  // of a body that is collected; a sink takes any
  };
  // `name` is the server's in errors. The body of a 2xx response goes to the sink where there is one, after
  // its head went to the head's; all others are collected. A response to HEAD has none.
  ResponseReader(std::string name, bool is_head, Sink sink, Limits limits, HeadSink head_sink = {});
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;
  ResponseReader& operator=(const ResponseReader&) = delete;

  // Throws Error{unavailable} for what is no answer; only to be destroyed then. Interim responses (100) are
  // passed over.
  void feed(std::string_view bytes);
  bool is_done() const;
  // Done, the server keeps the connection open, and has sent nothing beyond.
  bool is_reusable() const;
  std::uint64_t delivered() const;  // bytes that the sink was given
  HttpResponse take();              // once, when done

 private:
  class Parser;
  void begin();
  void parse(std::string_view& bytes);
  Error refusal(std::string_view what) const;

  const std::string name_;
  const bool is_head_;
  const Sink sink_;
  const HeadSink head_sink_;
  const Limits limits_;
  std::unique_ptr<Parser> parser_;
  std::string rest_;  // read, but not yet parsed
  int interim_ = 0;
};

}  // namespace segments::aws
