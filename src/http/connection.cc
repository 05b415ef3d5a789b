#include "http/connection.h"

#include <time.h>

#include "base/log.h"
#include "http/event_connection.h"
#include "http/problem.h"

namespace segments::http {

namespace {

// An unwanted body this short is read so that the connection can be kept.
constexpr std::uint64_t max_skipped_bytes = 64 * 1024;
constexpr std::size_t idle_buffer_bytes = 4 * 1024;
// Whose requests keep a thread for longer stays: the others go out of its way.
constexpr auto longest_of_movable = std::chrono::milliseconds(10);

std::string_view refusal_detail(int status) {
  switch (status) {
    case 408:
      return "The request did not come in time.";
    case 413:
      return "The body is larger than this path takes.";
    case 414:
      return "The request line is too long.";
    case 417:
      return "Only 100-continue can be expected.";
    case 431:
      return "The headers are too large.";
    case 501:
      return "Of the transfer encodings only chunked is taken.";
    case 503:
      return "The server has more work than it can take on. Try again in a moment.";
    default:
      return "The request is not well-formed HTTP/1.1.";
  }
}

// Begins what an answer waits for; its coroutine resumes on its own thread.
struct LaterStart {
  Loop* loop;
  LaterResponse* later;

  template <class Handler>
  void operator()(Handler&& handler) {
    auto waiting = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    later->begin([loop = loop, waiting = std::move(waiting)]() mutable {
      // Whoever calls lets go of the coroutine before the coroutine's own thread may run it.
      loop->resume([resumed = std::move(waiting)] { (*resumed)(); });
    });
  }
};

}  // namespace

Connection::Connection(Loop& loop, Socket socket, std::string remote_address, Place place, bool is_new)
    : loop_(loop),
      shared_(loop.shared),
      socket_(std::move(socket)),
      place_(std::move(place)),
      remote_address_(std::move(remote_address)),
      is_new_(is_new) {
  loop_.add(*this);
}

Connection::~Connection() {
  loop_.remove(*this);
}

Millis Connection::sweep(Millis now) {
  error_code ignored;
  if (now >= deadline_) socket_.cancel(ignored);
  return 0;
}

// By the clock that costs least to read: some milliseconds matter to no deadline.
void Connection::set_deadline(int seconds) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  deadline_ = (now.tv_sec + seconds) * 1'000LL + now.tv_nsec / 1'000'000;
}

void Connection::stop_gracefully() {
  if (!is_idle_) return;
  error_code ignored;
  socket_.cancel(ignored);
}

Task<void> serve(std::unique_ptr<Connection> connection) {
  co_await connection->run();
}

Task<void> Connection::run() {
  for (bool first = is_new_;; first = false) {
    auto read = co_await read_head(first);
    started_ = std::chrono::steady_clock::now();
    loop_.count_request(started_, counted_in_);
    is_idle_ = false;
    on_pool_ = false;
    request_.remote_address = remote_address_;
    if (int status = head_status(read)) {
      co_await refuse(status);
      co_return;
    }
    if (read != Read::done) co_return;
    co_await exchange();
    if (!socket_.is_open()) co_return;
    if (!keep_alive_) {
      if (has_unread_body() || begin_ < end_) co_await linger();
      co_return;
    }
    if (moves_on()) co_return;
    if (capacity_ > idle_buffer_bytes && begin_ == end_) {
      buffer_.reset();
      capacity_ = begin_ = end_ = 0;
    }
    if (request_.body.capacity() > idle_buffer_bytes) std::string().swap(request_.body);
  }
}

// Before any route is known. The connection ends with it: where the next request begins is anybody's guess.
Task<void> Connection::refuse(int status) {
  keep_alive_ = false;
  request_.path = request_.target.substr(0, request_.target.find('?'));
  shared_.router.identify(request_);
  auto response = problem(status, refusal_detail(status), request_);
  std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started_;
  shared_.router.conclude(request_, nullptr, response, taken.count());
  if (co_await write_answer(response)) co_await linger();
}

Response Connection::body_problem(Read read) {
  keep_alive_ = false;
  int status = read == Read::timed_out ? 408 : read == Read::too_large ? 413 : 400;
  auto detail = read == Read::closed ? "The body ended before its announced length." : refusal_detail(status);
  return problem(status, detail, request_);
}

Task<void> Connection::exchange() {
  auto match = shared_.router.prepare(request_);
  is_http_10_ = parser_->is_http_10();
  keep_alive_ = parser_->keep_alive();
  Response response;
  if (match.route && match.route->receive) {
    co_await answer_upload(*match.route, response);
  } else if (match.route) {
    co_await answer_route(*match.route, response);
  } else {
    response = std::move(match.answer);
    auto length = has_unread_body() ? parser_->content_length() : boost::none;
    if (length && *length <= max_skipped_bytes && !parser_->expects_continue())
      if (co_await read_body(request_.body, max_skipped_bytes) != Read::done) keep_alive_ = false;
  }
  if (response.stream) {
    response.set("Cache-Control", "no-store");
    response.set("X-Accel-Buffering", "no");
  }
  if (has_unread_body() || response.stream || shared_.stopping) keep_alive_ = false;
  taken_ = std::chrono::steady_clock::now() - started_;
  shared_.router.conclude(request_, match.found, response, taken_.count());
  bool sent = co_await write_answer(response);
  clear_deadline();
  if (!sent) {
    error_code ignored;
    socket_.close(ignored);
  } else if (response.stream && request_.method != "HEAD") {
    become_stream(response);
  }
}

Task<void> Connection::answer_route(const RouteHandler& route, Response& response) {
  if (!parser_->is_done())
    if (auto read = co_await read_body(request_.body, shared_.options.max_body_bytes); read != Read::done) {
      response = body_problem(read);
      co_return;
    }
  if (!route.is_for_pool(request_)) {
    response = shared_.router.begin(route, request_);
    if (response.later) co_await wait_for_answer(response);
    co_return;
  }
  clear_deadline();
  on_pool_ = true;
  Pool::Job work = [this, &route, &response] { response = shared_.router.respond(route, request_); };
  if (!co_await run_on_pool(*shared_.pool, socket_.get_executor(), Pool::Entry::new_work, work))
    response = problem_response(Error(ErrorKind::unavailable, std::string(refusal_detail(503))), request_);
}

Task<void> Connection::wait_for_answer(Response& response) {
  clear_deadline();
  while (auto later = std::move(response.later)) {
    if (!loop_.begin_waiting()) {
      response = problem_response(Error(ErrorKind::unavailable, std::string(refusal_detail(503))), request_);
      co_return;
    }
    LaterStart start{&loop_, later.get()};
    const asio::use_awaitable_t<Executor> token;
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(start, token);
    Pool::Job go_on = [&] { response = shared_.router.go_on(*later, request_); };
    // It was taken on already: a full pool is no reason to refuse it.
    if (!later->must_wait())
      go_on();
    else if (!co_await run_on_pool(*shared_.pool, socket_.get_executor(), Pool::Entry::continued, go_on))
      response = problem_response(Error(ErrorKind::unavailable, std::string(refusal_detail(503))), request_);
  }
}

// Gives the connection to a loop that has less to do. What was read of the next request stays with this one.
bool Connection::moves_on() {
  if (begin_ < end_ || taken_ > longest_of_movable) return false;
  auto* receiver = loop_.receiver();
  if (!receiver) return false;
  error_code error;
  const int socket = socket_.release(error);
  if (error) return false;
  receiver->take_over(socket, std::move(remote_address_), std::move(place_));
  return true;
}

// The stream takes the socket; this connection's buffers and coroutines go away.
void Connection::become_stream(Response& response) {
  auto stream = std::make_shared<EventConnection>(loop_, std::move(socket_), std::move(place_));
  stream->start();
  Pool::Job begin = [stream, feed = std::move(response.stream), request_id = request_.request_id] {
    try {
      feed(stream);
    } catch (const std::exception& error) {
      log_error("http.failed", {{"request_id", request_id}, {"detail", error.what()}});
      stream->close();
    }
  };
  if (on_pool_)
    shared_.pool->add(std::move(begin), Pool::Entry::continued);
  else
    begin();
}

}  // namespace segments::http
