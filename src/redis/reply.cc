#include "redis/reply.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace segments::redis {

namespace {

constexpr std::int64_t most_bulk_bytes = 512ll << 20;
constexpr std::int64_t most_items = 1 << 24;
constexpr std::size_t most_line_bytes = 1 << 20;
constexpr std::size_t most_number_bytes = 32;
constexpr std::size_t deepest = 16;
constexpr std::size_t kept_capacity = 1 << 20;

Error not_resp(const char* what) {
  return Error(ErrorKind::internal, std::string("Redis sent what is not RESP2: ") + what + ".");
}

std::int64_t number_of_line(std::string_view line) {
  auto number = parse_integer(line.substr(1));
  if (!number) throw not_resp("a number is malformed");
  return *number;
}

std::int64_t length_of_line(std::string_view line, std::int64_t most) {
  auto length = number_of_line(line);
  if (length < -1 || length > most) throw not_resp("a length is out of bounds");
  return length;
}

}  // namespace

void ReplyReader::feed(std::string_view bytes) {
  if (at_ == bytes_.size()) {
    // One huge reply is not paid for as long as the connection lives.
    if (bytes_.capacity() > kept_capacity) std::string().swap(bytes_);
    bytes_.clear();
    at_ = scanned_ = 0;
  } else if (at_ > bytes_.size() - at_) {
    // Less is moved than was read since the last time: linear in all.
    bytes_.erase(0, at_);
    scanned_ -= std::min(scanned_, at_);
    at_ = 0;
  }
  bytes_ += bytes;
}

std::optional<Reply> ReplyReader::read() {
  while (true) {
    Reply value;
    if (bulk_ >= 0) {
      auto bulk = take_bulk();
      if (!bulk) return std::nullopt;
      value.kind = Reply::Kind::text;
      value.text = std::move(*bulk);
    } else {
      auto line = take_line();
      if (!line) return std::nullopt;
      auto begun = begin_reply(*line);
      if (!begun) continue;
      value = std::move(*begun);
    }
    while (!open_.empty()) {
      open_.back().array.items.push_back(std::move(value));
      if (--open_.back().missing > 0) break;
      value = std::move(open_.back().array);
      open_.pop_back();
    }
    if (open_.empty()) return value;
  }
}

std::optional<std::string_view> ReplyReader::take_line() {
  if (at_ == bytes_.size()) return std::nullopt;
  char type = bytes_[at_];
  bool is_text = type == '+' || type == '-';
  if (!is_text && type != ':' && type != '$' && type != '*') throw not_resp("a reply of an unknown type");
  auto end = bytes_.find('\n', std::max(scanned_, at_));
  auto length = (end == std::string::npos ? bytes_.size() : end) - at_;
  if (length > (is_text ? most_line_bytes : most_number_bytes)) throw not_resp("a line is too long");
  if (end == std::string::npos) {
    scanned_ = bytes_.size();
    return std::nullopt;
  }
  auto line = std::string_view(bytes_).substr(at_, length);
  if (line.find('\r') != line.size() - 1) throw not_resp("a line does not end with CR LF");
  at_ = end + 1;
  return line.substr(0, line.size() - 1);
}

std::optional<std::string> ReplyReader::take_bulk() {
  auto length = static_cast<std::size_t>(bulk_);
  if (bytes_.size() - at_ < length + 2) return std::nullopt;
  if (bytes_[at_ + length] != '\r' || bytes_[at_ + length + 1] != '\n')
    throw not_resp("a string does not end where it should");
  std::string bulk = bytes_.substr(at_, length);
  at_ += length + 2;
  bulk_ = -1;
  return bulk;
}

// What the line is, where it is whole; otherwise what is to come is noted.
std::optional<Reply> ReplyReader::begin_reply(std::string_view line) {
  using enum Reply::Kind;
  switch (line[0]) {
    case '+':
      return Reply{.kind = text, .integer = 0, .text = std::string(line.substr(1)), .items = {}};
    case '-':
      return Reply{.kind = error, .integer = 0, .text = std::string(line.substr(1)), .items = {}};
    case ':':
      return Reply{.kind = integer, .integer = number_of_line(line), .text = {}, .items = {}};
    case '$': {
      auto length = length_of_line(line, most_bulk_bytes);
      if (length < 0) return Reply{};
      bulk_ = length;
      return std::nullopt;
    }
    default: {
      auto count = length_of_line(line, most_items);
      if (count < 0) return Reply{};
      if (open_.size() == deepest) throw not_resp("arrays are nested too deeply");
      Reply list{.kind = array, .integer = 0, .text = {}, .items = {}};
      if (count == 0) return list;
      open_.push_back({std::move(list), count});
      return std::nullopt;
    }
  }
}

}  // namespace segments::redis
