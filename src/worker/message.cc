#include "worker/message.h"

#include <sys/socket.h>

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
  return {.id = task.id,
          .name = task.name,
          .arguments = task.arguments,
          .user_id = task.user_id,
          .retries = task.retries,
          .max_retries = task.max_retries,
          .time_limit_s = task.time_limit_s,
          .soft_time_limit_s = task.soft_time_limit_s,
          .fence = task.fence,
          .work_dir = std::move(work_dir)};
}

LeasedTask task_of(const RunOrder& order) {
  return {.id = order.id,
          .name = order.name,
          .arguments = order.arguments,
          .user_id = order.user_id,
          .retries = order.retries,
          .max_retries = order.max_retries,
          .time_limit_s = order.time_limit_s,
          .soft_time_limit_s = order.soft_time_limit_s,
          .fence = order.fence};
}

RunReport make_report(std::uint64_t order, std::int64_t runtime_us, TaskOutcome outcome) {
  outcome.error = printable(std::move(outcome.error));
  return {order, runtime_us, std::move(outcome)};
}

bool append_message(std::string& bytes, std::string_view json) {
  if (json.size() > max_message_bytes) return false;
  for (std::size_t i = 0; i < prefix_bytes; ++i) bytes += static_cast<char>(json.size() >> (8 * i) & 0xff);
  bytes += json;
  return true;
}

bool send_bytes(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    auto count = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool send_message(int socket, std::string_view json) {
  std::string bytes;
  bytes.reserve(prefix_bytes + json.size());
  return append_message(bytes, json) && send_bytes(socket, bytes);
}

std::optional<std::string> MessageReader::take() {
  std::string_view left = std::string_view(bytes_).substr(taken_);
  if (left.size() < prefix_bytes) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < prefix_bytes; ++i)
    length |= static_cast<std::size_t>(static_cast<unsigned char>(left[i])) << (8 * i);
  if (length > max_message_bytes) {
    at_end_ = true;
    return std::nullopt;
  }
  if (left.size() < prefix_bytes + length) return std::nullopt;
  std::string message(left.substr(prefix_bytes, length));
  taken_ += prefix_bytes + length;
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
    bytes_.erase(0, taken_);
    taken_ = 0;
    bytes_.append(piece, static_cast<std::size_t>(count));
  }
}

}  // namespace segments
