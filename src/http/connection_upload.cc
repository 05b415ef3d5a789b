#include "http/connection.h"
#include "http/problem.h"

namespace segments::http {

namespace {

// With what one more read can bring (64 KiB), a piece stays below 256 KiB.
constexpr std::size_t piece_bytes = 192 * 1024;
constexpr std::size_t max_piece_bytes = 256 * 1024;

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
  auto& pool = *shared_.pool;
  auto executor = socket_.get_executor();
  if (auto read = co_await send_continue(); read != Read::done) co_return body_problem(read);
  std::string piece;
  piece.reserve(
      std::min<std::uint64_t>(parser_->content_length().value_or(max_piece_bytes), max_piece_bytes));
  if (!parser_->is_done()) parser_->collect(piece, std::numeric_limits<std::uint64_t>::max());
  while (!parser_->is_done()) {
    piece.clear();
    if (auto read = co_await read_piece(piece, piece_bytes); read != Read::done) co_return body_problem(read);
    if (piece.empty()) continue;
    clear_deadline();
    std::optional<Response> ended;
    Pool::Job write = [&] { ended = shared_.router.write_upload(sink, request_, piece); };
    co_await run_on_pool(pool, executor, Pool::Entry::continued, write);
    if (ended) {
      // A body that goes on has an end that nobody waits for.
      if (!parser_->is_done()) keep_alive_ = false;
      co_return *std::move(ended);
    }
  }
  clear_deadline();
  Response response;
  Pool::Job finish = [&] { response = shared_.router.finish_upload(sink, request_); };
  co_await run_on_pool(pool, executor, Pool::Entry::continued, finish);
  co_return response;
}

}  // namespace segments::http
