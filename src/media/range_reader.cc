#include "media/range_reader.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {
namespace {

constexpr std::int64_t block_size = 256 * 1024;
constexpr std::int64_t most_ahead = 4;
constexpr std::size_t most_blocks = 32;
constexpr std::size_t most_head = 64 * 1024;

// The reason goes to the log alone: it may name hosts that are nobody's business outside.
Error unreadable(std::string_view reason) {
  log_warning("media.source_unreadable", {{"reason", reason}});
  return Error(ErrorKind::unavailable, "The video could not be read from where it is stored.");
}

// Thrown when a kept connection turns out to be closed: the request may be sent again on a new one.
struct ConnectionGone {};

struct Head {
  int status = 0;
  std::int64_t length = -1;
  std::int64_t total = -1;
  bool closes = false;
};

void read_field(std::string_view name, std::string_view value, Head& head) {
  if (name == "content-length") head.length = parse_integer(value).value_or(-1);
  if (name == "connection") head.closes = lower_ascii(value) == "close";
  if (name == "transfer-encoding") throw unreadable("the answer to a range request has a transfer coding");
  if (name == "content-range") {
    auto slash = value.rfind('/');
    if (slash != std::string_view::npos) head.total = parse_integer(value.substr(slash + 1)).value_or(-1);
  }
}

Head parse_head(std::string_view text) {
  Head head;
  auto lines = split(text, '\n');
  if (lines.empty() || !lines[0].starts_with("HTTP/1.") || lines[0].size() < 12)
    throw unreadable("the answer is not HTTP/1");
  head.status = static_cast<int>(parse_integer(lines[0].substr(9, 3)).value_or(0));
  head.closes = lines[0].starts_with("HTTP/1.0");
  for (std::size_t i = 1; i < lines.size(); ++i) {
    std::string_view line = lines[i];
    auto colon = line.find(':');
    if (colon != std::string_view::npos)
      read_field(lower_ascii(line.substr(0, colon)), trim(line.substr(colon + 1)), head);
  }
  return head;
}

}  // namespace

RangeReader::RangeReader(const std::string& url, Millis deadline) : deadline_(deadline) {
  constexpr std::string_view scheme = "http://";
  std::string_view rest = url;
  if (!rest.starts_with(scheme) || has_control(rest) || rest.find(' ') != std::string_view::npos)
    throw unreadable("not an http URL");
  rest.remove_prefix(scheme.size());
  rest = rest.substr(0, rest.find('#'));
  auto slash = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  target_ = rest.substr(slash);
  if (!target_.starts_with('/')) target_.insert(0, "/");
  auto colon = authority.rfind(':');
  bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  port_ = has_port ? authority.substr(colon + 1) : "80";
  host_ = has_port ? authority.substr(0, colon) : authority;
  if (host_.empty() || authority.find('@') != std::string_view::npos) throw unreadable("no host in the URL");
}

RangeReader::~RangeReader() {
  close();
}

std::int64_t RangeReader::size() {
  if (size_ < 0) block_at(0);
  return size_;
}

int RangeReader::read_at(std::int64_t position, char* into, int count) {
  if (count <= 0 || position < 0 || position >= size()) return 0;
  const std::string& bytes = block_at(position / block_size);
  auto offset = static_cast<std::size_t>(position % block_size);
  if (offset >= bytes.size()) return 0;
  auto length = std::min(bytes.size() - offset, static_cast<std::size_t>(count));
  std::memcpy(into, bytes.data() + offset, length);
  return static_cast<int>(length);
}

const std::string& RangeReader::block_at(std::int64_t number) {
  auto found = blocks_.find(number);
  if (found == blocks_.end()) {
    // Reading on in sequence asks for more each time; a jump begins anew.
    ahead_ = number == next_block_ && number > 0 ? std::min(ahead_ * 2, most_ahead) : 1;
    fetch(number, ahead_);
    found = blocks_.find(number);
    if (found == blocks_.end()) throw unreadable("a range is missing from the answer");
  }
  found->second.used = ++clock_;
  return found->second.bytes;
}

void RangeReader::fetch(std::int64_t first_block, std::int64_t count) {
  std::int64_t first = first_block * block_size, last = (first_block + count) * block_size - 1;
  if (size_ >= 0) last = std::min(last, size_ - 1);
  std::string bytes = request(first, last);
  next_block_ = first_block + count;
  for (std::int64_t i = 0; i < count; ++i) {
    auto offset = static_cast<std::size_t>(i * block_size);
    if (offset >= bytes.size() && i > 0) break;
    blocks_[first_block + i] = {bytes.substr(offset, block_size), ++clock_};
  }
  while (blocks_.size() > most_blocks) {
    blocks_.erase(std::min_element(blocks_.begin(), blocks_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    }));
  }
}

std::string RangeReader::request(std::int64_t first, std::int64_t last) {
  std::string text = "GET " + target_ + " HTTP/1.1\r\nHost: " + host_ + (port_ == "80" ? "" : ":" + port_) +
                     "\r\nRange: bytes=" + std::to_string(first) + "-" + std::to_string(last) +
                     "\r\nAccept-Encoding: identity\r\n\r\n";
  bool kept = socket_ >= 0;
  try {
    return request_once(text, first, last);
  } catch (const ConnectionGone&) {
    close();
    if (!kept) throw unreadable("the connection was closed");
  }
  try {
    return request_once(text, first, last);
  } catch (const ConnectionGone&) {
    throw unreadable("the connection was closed twice");
  }
}

std::string RangeReader::request_once(const std::string& text, std::int64_t first, std::int64_t last) {
  if (socket_ < 0) connect();
  send_all(text);
  std::string received;
  std::size_t end;
  while ((end = received.find("\r\n\r\n")) == std::string::npos) {
    if (received.size() > most_head) throw unreadable("the answer's header is too long");
    if (!receive_some(received)) throw ConnectionGone{};
  }
  Head head = parse_head(std::string_view(received).substr(0, end));
  received.erase(0, end + 4);
  if (head.status == 416 && first == 0) {  // an empty file has no first byte
    close();
    size_ = 0;
    return {};
  }
  if (head.status != 206 || head.length < 0 || head.length > last - first + 1 || head.total < 0)
    throw unreadable("answered " + std::to_string(head.status) + " to a range request");
  if (size_ >= 0 && head.total != size_) throw unreadable("the file changed while it was read");
  size_ = head.total;
  auto length = static_cast<std::size_t>(head.length);
  while (received.size() < length) {
    if (!receive_some(received)) throw ConnectionGone{};
  }
  if (received.size() > length) throw unreadable("the answer is longer than announced");
  if (head.closes) close();
  return received;
}

void RangeReader::connect() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string host = host_.starts_with('[') ? host_.substr(1, host_.size() - 2) : host_;
  if (getaddrinfo(host.c_str(), port_.c_str(), &hints, &found) != 0)
    throw unreadable("the host is not known");
  std::string reason = "no address";
  for (addrinfo* address = found; address && socket_ < 0; address = address->ai_next) {
    socket_ = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) continue;
    int failure = ::connect(socket_, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (failure == EINPROGRESS) {
      try {
        await(POLLOUT);
      } catch (...) {
        freeaddrinfo(found);
        throw;
      }
      socklen_t length = sizeof failure;
      getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failure, &length);
    }
    if (failure != 0) {
      reason = std::strerror(failure);
      close();
    }
  }
  freeaddrinfo(found);
  if (socket_ < 0) throw unreadable(reason);
  int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void RangeReader::close() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

void RangeReader::send_all(const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    ssize_t count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      await(POLLOUT);
    } else if (errno != EINTR) {
      throw ConnectionGone{};
    }
  }
}

bool RangeReader::receive_some(std::string& into) {
  char buffer[64 * 1024];
  for (;;) {
    ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
    if (count >= 0) return count > 0;
    if (errno == EAGAIN) {
      await(POLLIN);
    } else if (errno != EINTR) {
      throw ConnectionGone{};
    }
  }
}

void RangeReader::await(short event) {
  for (;;) {
    Millis left = deadline_ - steady_ms();
    if (left <= 0) throw unreadable("no answer in time");
    pollfd waiting{socket_, event, 0};
    int ready = poll(&waiting, 1, static_cast<int>(std::min<Millis>(left, 60'000)));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw unreadable("poll failed");
  }
}

}  // namespace segments
