// One client's connection: reads requests, has them answered, writes the answers. Lives on one loop's thread.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/asio.h"
#include "http/loop.h"
#include "http/parser.h"

namespace segments::http {

// What an upload's sink is given at once.
struct UploadPiece {
  explicit UploadPiece(std::size_t most)
      : bytes(std::make_unique_for_overwrite<char[]>(most)), capacity(most) {}

  std::unique_ptr<char[]> bytes;
  std::size_t capacity, size = 0;
};

class Connection final : public Tracked {
 public:
  // Not `is_new`: another loop has answered requests of it.
  Connection(Loop&, Socket, std::string remote_address, Place, bool is_new);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Until the client or the server ends it, or it has become an event stream.
  Task<void> run();

  Millis sweep(Millis now) override;
  void stop_gracefully() override;

 private:
  enum class Read { done, closed, timed_out, too_large, malformed };

  // Reading (connection_read.cc).
  Task<Read> read_head(bool first);
  Read parse_head();
  Task<Read> read_body(std::string& body, std::uint64_t limit);
  Task<Read> read_chunks(std::string& piece, std::size_t enough);
  Task<Read> fill(UploadPiece&);
  Read parse_body();
  Task<Read> read_some();
  bool was_late(const error_code&) const;
  void make_room();
  void widen_buffer();
  Task<Read> send_continue();
  Task<void> linger();
  int head_status(Read) const;

  // Answering (connection.cc, connection_upload.cc).
  Task<void> exchange();
  Task<void> answer_route(const RouteHandler&, Response&);
  Task<void> wait_for_answer(Response&);
  Task<void> answer_upload(const RouteHandler&, Response&);
  Task<Response> receive_body(BodySink&);
  Task<Read> receive_chunked(BodySink&, std::optional<Response>& ended);
  Task<Read> receive_sized(BodySink&, std::optional<Response>& ended);
  std::optional<Response> write_while_it_comes(BodySink&, UploadPiece&);
  Task<void> refuse(int status);
  Response body_problem(Read);
  bool has_unread_body() const { return parser_ && parser_->is_header_done() && !parser_->is_done(); }

  // Writing (connection_write.cc).
  Task<bool> write_answer(Response&);
  Task<bool> write_bytes(std::string_view head, std::string_view body, int flags);
  Task<bool> write_file(const FileRange&);
  Task<bool> wait_until_writable();
  void encode_head(std::string& out, const Response&) const;

  void become_stream(Response&);
  bool moves_on();
  void set_deadline(int seconds);
  void clear_deadline() { deadline_ = std::numeric_limits<Millis>::max(); }

  Loop& loop_;
  Shared& shared_;
  Socket socket_;
  Place place_;
  std::string remote_address_;
  Millis deadline_ = std::numeric_limits<Millis>::max();
  const bool is_new_;
  unsigned counted_in_ = 0;  // as the loop counts looks
  bool is_idle_ = true;      // between requests: a graceful stop ends it at once
  bool keep_alive_ = false;  // after the answer at hand
  bool is_http_10_ = false;  // such a client wants to be told that the connection stays
  bool on_pool_ = false;     // the answer came from the pool, so its stream is begun there too

  std::unique_ptr<char[]> buffer_;  // bytes begin_..end_ are read and not yet parsed
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t head_bytes_ = 0;

  Request request_;
  std::optional<RequestParser> parser_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::duration<double> taken_{};  // by the answer at hand
};

Task<void> serve(std::unique_ptr<Connection>);

}  // namespace segments::http
