#include "aws/http_connection.h"

#include <poll.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace segments::aws {

namespace {

constexpr std::size_t piece_bytes = 64 << 10;
constexpr std::size_t read_bytes = 64 << 10;

net::Peer peer_of(const Origin& origin, const std::string& ca_file) {
  net::Peer peer;
  peer.name = origin.name;
  peer.host = origin.host;
  peer.port = origin.port;
  peer.tls = origin.tls;
  peer.ca_file = ca_file;
  return peer;
}

void add_head(std::string& out, const std::string& authority, const HttpRequest& request) {
  out.append(request.method).append(1, ' ').append(request.target).append(" HTTP/1.1\r\nhost: ");
  out.append(authority).append("\r\n");
  for (const auto& [name, value] : request.headers) {
    // A line break would make a second header, or a second request, out of a value.
    if (has_control(name) || has_control(value))
      throw Error(ErrorKind::internal, "A header with a control character is not sent.");
    out.append(name).append(": ").append(value).append("\r\n");
  }
  bool may_have_body = request.method == "PUT" || request.method == "POST";
  if (may_have_body || request.body.size > 0)
    out += "content-length: " + std::to_string(request.body.size) + "\r\n";
  out += "\r\n";
}

// "timeout=5, max=100"
int keep_alive_ms(const Headers& headers) {
  auto value = find_header(headers, "keep-alive");
  if (!value) return -1;
  for (const auto& part : split(*value, ',')) {
    auto word = trim(part);
    if (!word.starts_with("timeout=")) continue;
    auto seconds = parse_integer(word.substr(8));
    if (seconds && *seconds >= 0) return static_cast<int>(std::min<std::int64_t>(*seconds, 86'400) * 1'000);
  }
  return -1;
}

template <class Argument>
std::function<void(Argument)> guarded(const std::function<void(Argument)>& sink, std::exception_ptr& thrown) {
  if (!sink) return {};
  return [&sink, &thrown](Argument given) {
    try {
      sink(given);
    } catch (...) {
      thrown = std::current_exception();
      throw;
    }
  };
}

}  // namespace

// The bytes of a request that are still to be sent: its head and the begin of its body first, then piece by
// piece.
class HttpConnection::Sending {
 public:
  Sending(const std::string& authority, const HttpRequest& request, std::exception_ptr& thrown)
      : body_(request.body), thrown_(thrown) {
    const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(body_.size, piece_bytes));
    bytes_.reserve(1'024 + first);
    add_head(bytes_, authority, request);
    read(bytes_.size(), first);
  }

  bool is_done() const { return done_ == bytes_.size() && read_ == body_.size; }
  bool has_begun() const { return has_begun_; }
  std::string_view piece() {
    if (done_ == bytes_.size()) {
      read(0, static_cast<std::size_t>(std::min<std::uint64_t>(body_.size - read_, piece_bytes)));
      done_ = 0;
    }
    return std::string_view(bytes_).substr(done_);
  }
  void advance(std::size_t count) {
    done_ += count;
    has_begun_ = has_begun_ || count > 0;
  }

 private:
  // Over what was sent, behind `begin`.
  void read(std::size_t begin, std::size_t count) {
    bytes_.resize(begin + count);
    try {
      if (count > 0) body_.read(read_, std::span(bytes_).subspan(begin));
    } catch (...) {
      thrown_ = std::current_exception();
      throw;
    }
    read_ += count;
  }

  const Body& body_;
  std::exception_ptr& thrown_;  // by the body
  std::uint64_t read_ = 0;      // of the body
  std::string bytes_;
  std::size_t done_ = 0;  // of bytes_
  bool has_begun_ = false;
};

HttpConnection::HttpConnection(const Origin& origin, const std::string& ca_file, Millis deadline)
    : name_(origin.name),
      authority_(origin.authority()),
      stream_(net::connect_stream(peer_of(origin, ca_file), {deadline})) {}

HttpOutcome HttpConnection::exchange(const HttpRequest& request, const Bounds& bounds) {
  Exchange running(*this, request, bounds);
  while (short wants = running.go_on()) {
    try {
      auto until = std::min(bounds.deadline, steady_ms() + bounds.stall_ms);
      if (net::wait_for_events(stream_->number(), wants, {until}, name_)) continue;
      running.time_out();
    } catch (const Error& error) {
      running.fail(error);
    }
    break;
  }
  return running.finish();
}

bool HttpConnection::is_quiet() {
  char byte;
  try {
    return stream_->read_some({&byte, 1}).bytes == 0;
  } catch (const Error&) {
    return false;
  }
}

HttpConnection::Exchange::Exchange(HttpConnection& connection, const HttpRequest& request,
                                   const Bounds& bounds)
    : connection_(connection),
      bounds_(bounds),
      sending_(std::make_unique<Sending>(connection.authority_, request, callers_)),
      reader_(connection.name_, request.method == "HEAD", guarded(request.sink, callers_), bounds.limits,
              guarded(request.head_sink, callers_)) {
  connection_.is_reusable_ = false;
}

HttpConnection::Exchange::~Exchange() = default;

short HttpConnection::Exchange::go_on() {
  try {
    while (!reader_.is_done())
      if (short wants = carry()) return wants;
  } catch (const Error& error) {
    // What the caller's own body and sink throw is no failure of the connection.
    if (callers_) throw;
    fail(error);
  }
  return 0;
}

// One step. The events to wait for before the next; 0: none.
short HttpConnection::Exchange::carry() {
  auto& stream = *connection_.stream_;
  short wants = 0;
  const bool is_sending = !sending_->is_done() && !send_failure_;
  if (is_sending) {
    auto piece = sending_->piece();  // what the body throws is no failure to send
    try {
      auto moved = stream.write_some(piece);
      sending_->advance(moved.bytes);
      wants = moved.wants;
    } catch (const Error& error) {
      // A server that refuses a long body answers and closes: the answer is read where it came.
      send_failure_ = error;
    }
  }
  if (steady_ms() >= bounds_.deadline) {
    time_out();
    throw Error(ErrorKind::unavailable, failure_);
  }
  if (is_sending && wants == 0 && !sending_->is_done() && !send_failure_) return 0;
  // Right behind the request there is no answer yet: to look would be a system call for nothing.
  if (is_sending && !has_read_ && !send_failure_ && sending_->is_done()) return POLLIN;
  char buffer[read_bytes];
  net::Stream::Moved came;
  try {
    came = stream.read_some(buffer);
  } catch (const Error& error) {
    throw send_failure_ ? *send_failure_ : error;
  }
  if (came.bytes == 0) return static_cast<short>(wants | came.wants);
  has_read_ = true;
  reader_.feed({buffer, came.bytes});
  return 0;
}

void HttpConnection::Exchange::fail(const Error& error) {
  failure_ = error.what();
}

void HttpConnection::Exchange::time_out() {
  is_timeout_ = true;
  fail(net::unavailable(connection_.name_, "did not answer in time"));
}

HttpOutcome HttpConnection::Exchange::finish() {
  HttpOutcome out;
  out.delivered = reader_.delivered();
  if (!failure_.empty()) {
    out.kind = sending_->has_begun() ? HttpOutcome::Kind::maybe_sent : HttpOutcome::Kind::not_sent;
    out.failure = std::move(failure_);
    out.is_timeout = is_timeout_;
    return out;
  }
  connection_.is_reusable_ = reader_.is_reusable() && sending_->is_done();
  out.kind = HttpOutcome::Kind::answered;
  out.response = reader_.take();
  connection_.kept_open_ms_ = keep_alive_ms(out.response.headers);
  return out;
}

}  // namespace segments::aws
