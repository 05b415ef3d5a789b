#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "http/connection.h"
#include "http/problem.h"

namespace segments::http {

namespace {

// With what one more read can bring (64 KiB), a piece stays below 256 KiB.
constexpr std::size_t piece_bytes = 192 * 1024;
constexpr std::size_t max_piece_bytes = 256 * 1024;
// A client that keeps up has one of the pool's threads for so long before others get their turn.
constexpr Millis pool_turn_ms = 20;

}  // namespace

Task<void> Connection::answer_upload(const RouteHandler& route, Response& response) {
  if (!parser_->chunked())
    request_.content_length = static_cast<std::int64_t>(parser_->content_length().value_or(0));
  clear_deadline();
  auto& pool = *shared_.pool;
  auto executor = socket_.get_executor();
  Router::Upload upload;
  Pool::Job begin = [&] { upload = shared_.router.begin_upload(route, request_); };
  if (!co_await run_on_pool(pool, executor, Pool::Entry::new_work, begin)) {
    response = problem_response(
        Error(ErrorKind::unavailable, "The server takes no more uploads for the moment."), request_);
    co_return;
  }
  if (!upload.sink) {
    response = std::move(upload.refusal);
    co_return;
  }
  response = co_await receive_body(*upload.sink);
  // Removing what is half written touches the disk too.
  Pool::Job end = [&] { upload.sink.reset(); };
  clear_deadline();
  co_await run_on_pool(pool, executor, Pool::Entry::continued, end);
}

Task<Response> Connection::receive_body(BodySink& sink) {
  if (auto read = co_await send_continue(); read != Read::done) co_return body_problem(read);
  std::optional<Response> ended;
  if (!parser_->is_done()) {
    auto read =
        parser_->chunked() ? co_await receive_chunked(sink, ended) : co_await receive_sized(sink, ended);
    if (read != Read::done) co_return body_problem(read);
  }
  if (ended) {
    // A body that goes on has an end that nobody waits for.
    if (!parser_->is_done()) keep_alive_ = false;
    co_return *std::move(ended);
  }
  clear_deadline();
  Response response;
  Pool::Job finish = [&] { response = shared_.router.finish_upload(sink, request_); };
  co_await run_on_pool(*shared_.pool, socket_.get_executor(), Pool::Entry::continued, finish);
  co_return response;
}

Task<Connection::Read> Connection::receive_chunked(BodySink& sink, std::optional<Response>& ended) {
  std::string piece;
  piece.reserve(max_piece_bytes);
  parser_->collect(piece, std::numeric_limits<std::uint64_t>::max());
  while (!parser_->is_done() && !ended) {
    piece.clear();
    if (auto read = co_await read_chunks(piece, piece_bytes); read != Read::done) co_return read;
    if (piece.empty()) continue;
    clear_deadline();
    Pool::Job write = [&] { ended = shared_.router.write_upload(sink, request_, piece); };
    co_await run_on_pool(*shared_.pool, socket_.get_executor(), Pool::Entry::continued, write);
  }
  co_return Read::done;
}

// The bytes go past the parser, from the socket into the piece that is written.
Task<Connection::Read> Connection::receive_sized(BodySink& sink, std::optional<Response>& ended) {
  UploadPiece piece(std::min<std::uint64_t>(parser_->bytes_left(), max_piece_bytes));
  piece.size = std::min(end_ - begin_, piece.capacity);  // what came with the head
  std::memcpy(piece.bytes.get(), buffer_.get() + begin_, piece.size);
  begin_ += piece.size;
  parser_->pass_by(piece.size);
  do {
    if (auto read = co_await fill(piece); read != Read::done) co_return read;
    clear_deadline();
    Pool::Job write = [&] { ended = write_while_it_comes(sink, piece); };
    co_await run_on_pool(*shared_.pool, socket_.get_executor(), Pool::Entry::continued, write);
  } while (!ended && (piece.size > 0 || !parser_->is_done()));
  co_return Read::done;
}

// On the pool's thread. To wake it and the loop for every piece costs half as much as the copying, so it
// reads what is there itself: nobody else touches the socket meanwhile. What is wrong with it the loop finds
// out.
std::optional<Response> Connection::write_while_it_comes(BodySink& sink, UploadPiece& piece) {
  for (const auto until = steady_ms() + pool_turn_ms; piece.size > 0 && steady_ms() < until;) {
    if (auto ended = shared_.router.write_upload(sink, request_, {piece.bytes.get(), piece.size}))
      return ended;
    piece.size = 0;
    while (piece.size < piece.capacity && !parser_->is_done()) {
      auto room = std::min<std::uint64_t>(piece.capacity - piece.size, parser_->bytes_left());
      auto count = ::recv(socket_.native_handle(), piece.bytes.get() + piece.size, room, MSG_DONTWAIT);
      if (count <= 0) return std::nullopt;
      piece.size += static_cast<std::size_t>(count);
      parser_->pass_by(static_cast<std::uint64_t>(count));
    }
  }
  return std::nullopt;
}

}  // namespace segments::http
