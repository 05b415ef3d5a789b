#include "aws/http_connection.h"

#include <poll.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <vector>

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

std::string head_of(const std::string& authority, const HttpRequest& request) {
  std::string out;
  out.reserve(1'024);
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
  return out += "\r\n";
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
    auto head = head_of(authority, request);
    auto first = std::min<std::uint64_t>(body_.size, piece_bytes);
    bytes_.resize(head.size() + static_cast<std::size_t>(first));
    std::ranges::copy(head, bytes_.begin());
    read(std::span(bytes_).subspan(head.size()));
  }

  bool is_done() const { return done_ == bytes_.size() && read_ == body_.size; }
  bool has_begun() const { return has_begun_; }
  std::string_view piece() {
    if (done_ == bytes_.size()) {
      bytes_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(body_.size - read_, piece_bytes)));
      read(bytes_);
      done_ = 0;
    }
    return std::string_view(bytes_.data(), bytes_.size()).substr(done_);
  }
  void advance(std::size_t count) {
    done_ += count;
    has_begun_ = has_begun_ || count > 0;
  }

 private:
  void read(std::span<char> into) {
    try {
      if (!into.empty()) body_.read(read_, into);
    } catch (...) {
      thrown_ = std::current_exception();
      throw;
    }
    read_ += into.size();
  }

  const Body& body_;
  std::exception_ptr& thrown_;  // by the body
  std::uint64_t read_ = 0;      // of the body
  std::vector<char> bytes_;
  std::size_t done_ = 0;  // of bytes_
  bool has_begun_ = false;
};

HttpConnection::HttpConnection(const Origin& origin, const std::string& ca_file, Millis deadline)
    : name_(origin.name),
      authority_(origin.authority()),
      stream_(net::connect_stream(peer_of(origin, ca_file), {deadline})) {}

HttpOutcome HttpConnection::exchange(const HttpRequest& request, const Bounds& bounds) {
  is_reusable_ = false;
  HttpOutcome out;
  // What the caller's own body and sink throw is no failure of the connection.
  std::exception_ptr callers;
  Sending sending(authority_, request, callers);
  ResponseReader reader(name_, request.method == "HEAD", guarded(request.sink, callers), bounds.limits,
                        guarded(request.head_sink, callers));
  try {
    carry(sending, reader, bounds, out.is_timeout);
  } catch (const Error& error) {
    if (callers) throw;
    out.failure = error.what();
  }
  out.delivered = reader.delivered();
  if (!out.failure.empty()) {
    out.kind = sending.has_begun() ? HttpOutcome::Kind::maybe_sent : HttpOutcome::Kind::not_sent;
    return out;
  }
  is_reusable_ = reader.is_reusable() && sending.is_done();
  out.kind = HttpOutcome::Kind::answered;
  out.response = reader.take();
  kept_open_ms_ = keep_alive_ms(out.response.headers);
  return out;
}

void HttpConnection::carry(Sending& sending, ResponseReader& reader, const Bounds& bounds, bool& is_timeout) {
  std::optional<Error> send_failure;
  char buffer[read_bytes];
  bool has_read = false;
  while (!reader.is_done()) {
    short wants = 0;
    bool is_sending = !sending.is_done() && !send_failure;
    if (is_sending) {
      auto piece = sending.piece();  // what the body throws is no failure to send
      try {
        auto moved = stream_->write_some(piece);
        sending.advance(moved.bytes);
        wants = moved.wants;
      } catch (const Error& error) {
        // A server that refuses a long body answers and closes: the answer is read where it came.
        send_failure = error;
      }
    }
    if (steady_ms() >= bounds.deadline) {
      is_timeout = true;
      throw net::unavailable(name_, "did not answer in time");
    }
    if (is_sending && wants == 0 && !sending.is_done() && !send_failure) continue;
    net::Stream::Moved came;
    // Right behind the request there is no answer yet: to look would be a system call for nothing.
    const bool is_too_soon = is_sending && !has_read && !send_failure && sending.is_done();
    try {
      came = is_too_soon ? net::Stream::Moved{0, POLLIN} : stream_->read_some(buffer);
    } catch (const Error& error) {
      throw send_failure ? *send_failure : error;
    }
    if (came.bytes > 0) {
      has_read = true;
      reader.feed({buffer, came.bytes});
    } else if (!wait(wants | came.wants, bounds)) {
      is_timeout = true;
      throw net::unavailable(name_, "did not answer in time");
    }
  }
}

bool HttpConnection::wait(short events, const Bounds& bounds) {
  auto until = std::min(bounds.deadline, steady_ms() + bounds.stall_ms);
  return net::wait_for_events(stream_->number(), events, {until}, name_);
}

bool HttpConnection::is_quiet() {
  char byte;
  try {
    return stream_->read_some({&byte, 1}).bytes == 0;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace segments::aws
