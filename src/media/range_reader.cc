#include "media/range_reader.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {
namespace {

constexpr std::int64_t block_size = 32 * 1024;
constexpr std::int64_t least_ahead = 8, most_ahead = 32;
constexpr std::size_t most_blocks = 256;
// So near to its end a file is read to the end at once: the index lies there, where it does not come first.
constexpr std::int64_t tail_size = 2 << 20;
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
  std::string_view rest = url;
  peer_.name = "The store of objects";
  peer_.tls = rest.starts_with("https://");
  peer_.port = peer_.tls ? 443 : 80;
  if ((!peer_.tls && !rest.starts_with("http://")) || has_control(rest) ||
      rest.find(' ') != std::string_view::npos)
    throw unreadable("not an http URL");
  rest.remove_prefix(rest.find("//") + 2);
  rest = rest.substr(0, rest.find('#'));
  auto slash = std::min(rest.find_first_of("/?"), rest.size());
  authority_ = rest.substr(0, slash);
  target_ = rest.substr(slash);
  if (!target_.starts_with('/')) target_.insert(0, "/");
  auto colon = authority_.rfind(':');
  if (colon != std::string::npos && authority_.find(']', colon) == std::string::npos) {
    auto port = parse_integer(std::string_view(authority_).substr(colon + 1));
    if (!port || *port < 1 || *port > 65'535) throw unreadable("no port in the URL");
    peer_.port = static_cast<int>(*port);
    peer_.host = authority_.substr(0, colon);
  } else {
    peer_.host = authority_;
  }
  if (peer_.host.starts_with('[') && peer_.host.ends_with(']'))
    peer_.host = peer_.host.substr(1, peer_.host.size() - 2);
  if (peer_.host.empty() || authority_.find('@') != std::string::npos) throw unreadable("no host in the URL");
}

RangeReader::~RangeReader() = default;

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
    fetch(number, blocks_from(number));
    found = blocks_.find(number);
    if (found == blocks_.end()) throw unreadable("a range is missing from the answer");
  }
  found->second.used = ++clock_;
  return found->second.bytes;
}

// How many to ask for. Reading on in sequence asks for more each time; a jump begins anew.
std::int64_t RangeReader::blocks_from(std::int64_t number) {
  bool reads_on = number == next_block_ && number > 0;
  ahead_ = reads_on ? std::clamp(ahead_ * 2, least_ahead, most_ahead) : 1;
  std::int64_t left = size_ - number * block_size;
  return left <= tail_size && !reads_on ? std::max(ahead_, (left + block_size - 1) / block_size) : ahead_;
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
  std::string text = "GET " + target_ + " HTTP/1.1\r\nHost: " + authority_ +
                     "\r\nRange: bytes=" + std::to_string(first) + "-" + std::to_string(last) +
                     "\r\nAccept-Encoding: identity\r\n\r\n";
  bool kept = stream_ != nullptr;
  try {
    return request_once(text, first, last);
  } catch (const ConnectionGone&) {
    stream_.reset();
    if (!kept) throw unreadable("the connection was closed");
  }
  try {
    return request_once(text, first, last);
  } catch (const ConnectionGone&) {
    throw unreadable("the connection was closed twice");
  }
}

std::string RangeReader::request_once(const std::string& text, std::int64_t first, std::int64_t last) {
  if (!stream_) connect();
  send_all(text);
  std::string received;
  std::size_t end;
  while ((end = received.find("\r\n\r\n")) == std::string::npos) {
    if (received.size() > most_head) throw unreadable("the answer's header is too long");
    receive_some(received);
  }
  Head head = parse_head(std::string_view(received).substr(0, end));
  received.erase(0, end + 4);
  if (head.status == 416 && first == 0) {  // an empty file has no first byte
    stream_.reset();
    size_ = 0;
    return {};
  }
  if (head.status != 206 || head.length < 0 || head.length > last - first + 1 || head.total < 0)
    throw unreadable("answered " + std::to_string(head.status) + " to a range request");
  if (size_ >= 0 && head.total != size_) throw unreadable("the file changed while it was read");
  size_ = head.total;
  auto length = static_cast<std::size_t>(head.length);
  while (received.size() < length) receive_some(received);
  if (received.size() > length) throw unreadable("the answer is longer than announced");
  if (head.closes) stream_.reset();
  return received;
}

void RangeReader::connect() {
  try {
    stream_ = net::connect_stream(peer_, {deadline_});
  } catch (const Error& error) {
    throw unreadable(error.what());
  }
}

void RangeReader::send_all(const std::string& text) {
  for (std::string_view rest = text; !rest.empty();) {
    net::Stream::Moved moved;
    try {
      moved = stream_->write_some(rest);
    } catch (const Error&) {
      throw ConnectionGone{};
    }
    rest.remove_prefix(moved.bytes);
    if (moved.bytes == 0) await(moved.wants);
  }
}

void RangeReader::receive_some(std::string& into) {
  char buffer[64 * 1024];
  for (;;) {
    net::Stream::Moved moved;
    try {
      moved = stream_->read_some(buffer);
    } catch (const Error&) {
      throw ConnectionGone{};
    }
    into.append(buffer, moved.bytes);
    if (moved.bytes > 0) return;
    await(moved.wants);
  }
}

void RangeReader::await(short event) {
  if (!net::wait_for_events(stream_->number(), event, {deadline_}, peer_.name))
    throw unreadable("no answer in time");
}

}  // namespace segments
