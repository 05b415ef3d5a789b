#include <algorithm>
#include <cstring>

#include "http/connection.h"

namespace segments::http {

namespace {

constexpr std::size_t first_buffer_bytes = 4 * 1024;
constexpr std::size_t body_buffer_bytes = 64 * 1024;
constexpr std::size_t deadline_bytes = 64 * 1024;  // so much of an upload must come within body_seconds
constexpr std::uint64_t max_lingering_bytes = 16 * 1024 * 1024;
constexpr int lingering_seconds = 5;

using BeastError = boost::beast::http::error;

}  // namespace

// At least half of the buffer is free afterwards. The caller has bounded what may lie in it.
void Connection::make_room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ < capacity_ && begin_ < capacity_ / 2) return;
  auto held = end_ - begin_;
  auto wanted = std::max(capacity_, first_buffer_bytes);
  if (held > wanted / 2) wanted *= 2;
  if (wanted == capacity_) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  } else {
    auto grown = std::make_unique_for_overwrite<char[]>(wanted);
    if (held) std::memcpy(grown.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(grown);
    capacity_ = wanted;
  }
  begin_ = 0;
  end_ = held;
}

// For bodies that are longer than what has come with the head.
void Connection::widen_buffer() {
  if (capacity_ >= body_buffer_bytes || begin_ < end_) return;
  buffer_ = std::make_unique_for_overwrite<char[]>(body_buffer_bytes);
  capacity_ = body_buffer_bytes;
}

Task<Connection::Read> Connection::read_some() {
  make_room();
  auto [error, count] =
      co_await socket_.async_read_some(asio::buffer(buffer_.get() + end_, capacity_ - end_), awaiting);
  if (!error) {
    end_ += count;
    co_return Read::done;
  }
  co_return was_late(error) ? Read::timed_out : Read::closed;
}

// Only the sweep and a graceful stop cancel.
bool Connection::was_late(const error_code& error) const {
  return error == asio::error::operation_aborted && steady_ms() >= deadline_;
}

Connection::Read Connection::parse_head() {
  // Some clients end a body with a line break that they do not count (RFC 9112, 2.2).
  while (!parser_->got_some() && begin_ < end_ && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n'))
    ++begin_;
  if (begin_ == end_) return Read::closed;
  error_code error;
  auto used = parser_->put(asio::const_buffer(buffer_.get() + begin_, end_ - begin_), error);
  begin_ += used;
  head_bytes_ += used;
  auto max = shared_.options.max_head_bytes;
  if (error && error != BeastError::need_more)
    return error == BeastError::header_limit ? Read::too_large : Read::malformed;
  if (parser_->is_header_done()) return head_bytes_ > max ? Read::too_large : Read::done;
  // `closed` says: not yet.
  return head_bytes_ + (end_ - begin_) >= max ? Read::too_large : Read::closed;
}

Task<Connection::Read> Connection::read_head(bool first) {
  request_.method.clear();
  request_.target.clear();
  request_.headers.clear();
  request_.body.clear();
  request_.content_length.reset();
  request_.user.clear();
  request_.trusted = request_.user_named = false;
  parser_.emplace(request_, shared_.options.max_head_bytes);
  head_bytes_ = 0;
  is_idle_ = begin_ == end_;
  set_deadline(first || !is_idle_ ? shared_.options.header_seconds : shared_.options.idle_seconds);
  for (;;) {
    if (begin_ < end_) {
      if (auto read = parse_head(); read != Read::closed) co_return read;
      if (is_idle_ && !first) set_deadline(shared_.options.header_seconds);
      is_idle_ = false;
    }
    if (is_idle_ && shared_.stopping) co_return Read::closed;
    if (auto read = co_await read_some(); read != Read::done) co_return is_idle_ ? Read::closed : read;
  }
}

int Connection::head_status(Read read) const {
  switch (read) {
    case Read::timed_out:
      return 408;
    case Read::too_large:
      return parser_->has_request_line() ? 431 : 414;
    case Read::malformed:
      return 400;
    case Read::closed:
      return 0;
    case Read::done:
      return parser_->refused_status();
  }
  return 400;
}

Connection::Read Connection::parse_body() {
  while (begin_ < end_ && !parser_->is_done()) {
    // Beast asserts that it is never shown "0\r\n" and then less than "0\r\n\r\n", which any client may send.
    if (parser_->chunked() && buffer_[begin_] == '0' && end_ - begin_ < std::string_view("0\r\n\r\n").size())
      break;
    error_code error;
    begin_ += parser_->put(asio::const_buffer(buffer_.get() + begin_, end_ - begin_), error);
    if (error == BeastError::body_limit) return Read::too_large;
    if (error == BeastError::need_more) break;
    if (error) return Read::malformed;
  }
  // What the parser leaves is the line before a chunk, or trailers: short, or nonsense.
  if (end_ - begin_ > shared_.options.max_head_bytes) return Read::malformed;
  return Read::done;
}

Task<Connection::Read> Connection::send_continue() {
  if (!parser_->expects_continue() || begin_ < end_ || parser_->is_done()) co_return Read::done;
  bool sent = co_await write_bytes("HTTP/1.1 100 Continue\r\n\r\n", {}, 0);
  co_return sent ? Read::done : Read::closed;
}

Task<Connection::Read> Connection::read_body(std::string& body, std::uint64_t limit) {
  auto length = parser_->content_length();
  if (length && *length > limit) co_return Read::too_large;
  if (length) body.reserve(*length);
  if (auto read = co_await send_continue(); read != Read::done) co_return read;
  parser_->collect(body, limit);
  set_deadline(shared_.options.body_seconds);
  for (;;) {
    if (auto read = parse_body(); read != Read::done || parser_->is_done()) co_return read;
    widen_buffer();
    if (auto read = co_await read_some(); read != Read::done) co_return read;
  }
}

// The next piece of an upload in chunks; short only where the body ends. Needs collect() before.
Task<Connection::Read> Connection::read_chunks(std::string& piece, std::size_t enough) {
  std::size_t in_time = 0;
  set_deadline(shared_.options.body_seconds);
  for (;;) {
    if (auto read = parse_body(); read != Read::done) co_return read;
    if (parser_->is_done() || piece.size() >= enough) co_return Read::done;
    if (piece.size() >= in_time + deadline_bytes) {
      in_time = piece.size();
      set_deadline(shared_.options.body_seconds);
    }
    widen_buffer();
    if (auto read = co_await read_some(); read != Read::done) co_return read;
  }
}

// The piece is full afterwards, or the body has ended.
Task<Connection::Read> Connection::fill(UploadPiece& piece) {
  std::size_t in_time = piece.size;
  set_deadline(shared_.options.body_seconds);
  while (piece.size < piece.capacity && !parser_->is_done()) {
    auto room = std::min<std::uint64_t>(piece.capacity - piece.size, parser_->bytes_left());
    auto [error, count] =
        co_await socket_.async_read_some(asio::buffer(piece.bytes.get() + piece.size, room), awaiting);
    if (error) co_return was_late(error) ? Read::timed_out : Read::closed;
    piece.size += count;
    parser_->pass_by(count);
    if (piece.size < in_time + deadline_bytes) continue;
    in_time = piece.size;
    set_deadline(shared_.options.body_seconds);
  }
  co_return Read::done;
}

// Closing a socket that holds unread bytes resets it, and the client may lose the answer that is on its way:
// say that nothing follows, then read and forget for a while what the client still sends.
Task<void> Connection::linger() {
  error_code error;
  socket_.shutdown(asio::socket_base::shutdown_send, error);
  set_deadline(lingering_seconds);
  for (std::uint64_t bytes = 0; !error && bytes < max_lingering_bytes; bytes += end_) {
    begin_ = end_ = 0;
    if (co_await read_some() != Read::done) co_return;
    if (steady_ms() >= deadline_) co_return;
  }
}

}  // namespace segments::http
