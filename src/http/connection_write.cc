#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "http/connection.h"

namespace segments::http {

namespace {

constexpr std::int64_t file_step_bytes = 512 * 1024;
// Up to here a body is copied behind its head: the kernel takes one buffer at less cost than two.
constexpr std::size_t small_body_bytes = 4 * 1024;

bool has_no_length(int status) {
  return status < 200 || status == 204 || status == 304;
}

void append_number(std::string& out, std::int64_t number) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

}  // namespace

void Connection::encode_head(std::string& out, const Response& response) const {
  out = "HTTP/1.1 ";
  append_number(out, response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nDate: ";
  out += loop_.date;
  out += "\r\n";
  out += response.headers.lines();
  if (!response.stream && !has_no_length(response.status)) {
    out += "Content-Length: ";
    append_number(out,
                  response.file ? response.file->length : static_cast<std::int64_t>(response.body.size()));
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
    message.msg_iovlen = 2;
    flags |= MSG_NOSIGNAL | MSG_DONTWAIT;
    auto sent = body.empty() ? ::send(socket_.native_handle(), head.data(), head.size(), flags)
                             : ::sendmsg(socket_.native_handle(), &message, flags);
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
  off_t offset = range.offset, asked = offset;
  const off_t end = range.offset + range.length;
  int file = range.file->descriptor();
  while (offset < end) {
    auto step = std::min<std::int64_t>(end - offset, file_step_bytes);
    auto sent = ::sendfile(socket_.native_handle(), file, &offset, static_cast<std::size_t>(step));
    if (sent == 0) co_return false;  // the file has become shorter
    if (sent == step) {
      // A fast client must not keep the thread from the others.
      if (offset < end) co_await asio::post(socket_.get_executor(), awaiting);
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) co_return false;
    // The disk is read while the client takes what it has; every page is looked for once.
    if (asked < offset + file_step_bytes) {
      asked = std::max<off_t>(asked, offset);
      posix_fadvise(file, asked, 2 * file_step_bytes, POSIX_FADV_WILLNEED);
      asked += 2 * file_step_bytes;
    }
    if (!co_await wait_until_writable()) co_return false;
  }
  co_return true;
}

Task<bool> Connection::write_answer(Response& response) {
  bool head_only = request_.method == "HEAD" || has_no_length(response.status);
  auto& head = loop_.head;
  encode_head(head, response);
  if (head_only || response.stream) co_return co_await write_bytes(head, {}, 0);
  if (!response.file && response.body.size() <= small_body_bytes) {
    head += response.body;
    co_return co_await write_bytes(head, {}, 0);
  }
  if (!response.file) co_return co_await write_bytes(head, response.body, 0);
  if (!co_await write_bytes(head, {}, response.file->length > 0 ? MSG_MORE : 0)) co_return false;
  co_return co_await write_file(*response.file);
}

}  // namespace segments::http
