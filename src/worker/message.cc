#include "worker/message.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"

namespace segments {

namespace {

// What a run says about itself is shown to users; bytes that JSON cannot carry must not cost the run its
// outcome.
std::string printable(std::string text) {
  bool is_text = is_utf8(text);
  for (char& c : text)
    if (c == '\0' || (!is_text && static_cast<unsigned char>(c) >= 0x80)) c = '?';
  return text;
}

constexpr std::size_t prefix_bytes = 4;

}  // namespace

RunOrder make_order(const LeasedTask& task, std::string work_dir) {
  return {task.id,          task.name,         task.arguments, task.user_id,       task.retries,
          task.max_retries, task.time_limit_s, task.fence,     std::move(work_dir)};
}

LeasedTask task_of(const RunOrder& order) {
  return {order.id,      order.name,        order.arguments,    order.user_id,
          order.retries, order.max_retries, order.time_limit_s, order.fence};
}

RunReport make_report(TaskOutcome outcome) {
  outcome.error = printable(std::move(outcome.error));
  return {std::move(outcome)};
}

bool send_message(int socket, std::string_view json) {
  if (json.size() > max_message_bytes) return false;
  std::string bytes;
  bytes.reserve(prefix_bytes + json.size());
  for (std::size_t i = 0; i < prefix_bytes; ++i) bytes += static_cast<char>(json.size() >> (8 * i) & 0xff);
  bytes += json;
  for (std::size_t sent = 0; sent < bytes.size();) {
    auto count = send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<std::string> MessageReader::take() {
  if (bytes_.size() < prefix_bytes) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < prefix_bytes; ++i)
    length |= static_cast<std::size_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
  if (length > max_message_bytes) {
    at_end_ = true;
    return std::nullopt;
  }
  if (bytes_.size() < prefix_bytes + length) return std::nullopt;
  std::string message = bytes_.substr(prefix_bytes, length);
  bytes_.erase(0, prefix_bytes + length);
  return message;
}

std::optional<std::string> MessageReader::read(bool wait) {
  while (true) {
    if (auto message = take()) return message;
    if (at_end_) return std::nullopt;
    char piece[16384];
    auto count = recv(socket_, piece, sizeof piece, wait ? 0 : MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
    if (count <= 0) {
      at_end_ = true;
      return std::nullopt;
    }
    bytes_.append(piece, static_cast<std::size_t>(count));
  }
}

}  // namespace segments
