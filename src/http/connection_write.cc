#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "http/connection.h"

namespace segments::http {

namespace {

constexpr std::int64_t file_step_bytes = 512 * 1024;

bool has_no_length(int status) {
  return status < 200 || status == 204 || status == 304;
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  auto start = out.size();
  out += value;
  out += "\r\n";
  // A line break in a value would begin a header of somebody else's choosing.
  for (auto i = start; i + 2 < out.size(); ++i)
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
}

}  // namespace

void Connection::encode_head(std::string& out, const Response& response) const {
  out = "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nDate: ";
  out += loop_.date;
  out += "\r\n";
  for (const auto& [name, value] : response.headers) append_header(out, name, value);
  if (!response.stream && !has_no_length(response.status)) {
    out += "Content-Length: ";
    out += std::to_string(response.file ? response.file->length
                                        : static_cast<std::int64_t>(response.body.size()));
    out += "\r\n";
  }
  if (!keep_alive_)
    out += "Connection: close\r\n";
  else if (is_http_10_)
    out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

Task<bool> Connection::wait_until_writable() {
  set_deadline(shared_.options.idle_seconds);
  auto [error] = co_await socket_.async_wait(asio::socket_base::wait_write, awaiting);
  co_return !error;
}

// Head and body leave in one call. The socket does not block (Asio has set that at the first read).
Task<bool> Connection::write_bytes(std::string_view head, std::string_view body, int flags) {
  std::string own;  // the loop's head is another connection's as soon as this one waits
  for (;;) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = body.empty() ? 1 : 2;
    auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
    if (sent >= 0) {
      auto count = static_cast<std::size_t>(sent);
      auto of_head = std::min(count, head.size());
      head.remove_prefix(of_head);
      body.remove_prefix(count - of_head);
      if (head.empty() && body.empty()) co_return true;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) co_return false;
    if (own.empty() && !head.empty()) {
      own = head;
      head = own;
    }
    if (!co_await wait_until_writable()) co_return false;
  }
}

Task<bool> Connection::write_file(const FileRange& range) {
  off_t offset = range.offset;
  const off_t end = range.offset + range.length;
  int file = range.file->descriptor();
  while (offset < end) {
    auto step = static_cast<std::size_t>(std::min<std::int64_t>(end - offset, file_step_bytes));
    auto sent = ::sendfile(socket_.native_handle(), file, &offset, step);
    if (sent == 0) co_return false;  // the file has become shorter
    if (sent > 0) {
      // A fast client must not keep the thread from the others.
      if (offset < end) co_await asio::post(socket_.get_executor(), awaiting);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return false;
    // The disk is read while the client takes what it has.
    posix_fadvise(file, offset, file_step_bytes, POSIX_FADV_WILLNEED);
    if (!co_await wait_until_writable()) co_return false;
  }
  co_return true;
}

Task<bool> Connection::write_answer(Response& response) {
  bool head_only = request_.method == "HEAD" || has_no_length(response.status);
  auto& head = loop_.head;
  encode_head(head, response);
  if (head_only || response.stream) co_return co_await write_bytes(head, {}, 0);
  if (!response.file) co_return co_await write_bytes(head, response.body, 0);
  if (!co_await write_bytes(head, {}, response.file->length > 0 ? MSG_MORE : 0)) co_return false;
  co_return co_await write_file(*response.file);
}

}  // namespace segments::http
