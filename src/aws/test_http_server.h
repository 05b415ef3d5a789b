// An HTTP server that does what a script says: answers any bytes, late, cut, in drips, closes or resets where
// it is told to; and counts what reached it. A thread for each connection.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "aws/headers.h"
#include "aws/origin.h"
#include "base/text.h"
#include "base/time.h"

namespace segments::aws {

class TestHttpServer {
 public:
  struct Received {
    int connection = 0;     // from 0
    int on_connection = 0;  // the how-manieth on it, from 0
    int number = 0;         // the how-manieth in all, from 0
    std::string method, target;
    Headers headers;
    std::string body;
    std::string header(std::string_view name) const {
      return std::string(find_header(headers, name).value_or(""));
    }
  };
  enum class Then {
    keep,
    close,
    reset,
    hold,                 // silent until the server goes
    reset_when_readable,  // the next request's first bytes are seen, and never read
  };
  struct Answer {
    std::string bytes;
    Then then = Then::keep;
    bool drips = false;  // byte by byte, each on its own
  };
  using Script = std::function<Answer(const Received&)>;

  // `reads_body`: else the script is asked as soon as the head is there.
  explicit TestHttpServer(Script script, bool reads_body = true)
      : script_(std::move(script)), reads_body_(reads_body) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 128) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 || pipe(stop_) != 0)
      throw std::runtime_error("no port is free");
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~TestHttpServer() {
    (void)!write(stop_[1], "x", 1);  // never read: it wakes everybody
    accepting_.join();
    for (auto& thread : serving_) thread.join();
    for (int descriptor : {listener_, stop_[0], stop_[1]}) close(descriptor);
  }

  int port() const { return port_; }
  Origin origin(std::string name = "The test server") const {
    return {std::move(name), false, "127.0.0.1", port_};
  }
  std::string url() const { return origin().url(); }

  int connections() { return locked(connections_); }
  int closed() { return locked(closed_); }  // by the server
  // Requests of which at least a byte arrived, whether or not they were read.
  int arrived() { return locked(arrived_); }
  std::vector<Received> received() { return locked(received_); }  // read whole
  int count(std::string_view method) {
    int found = 0;
    for (const auto& request : received()) found += request.method == method;
    return found;
  }
  template <class Condition>
  void wait_until(Condition condition) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return condition(*this); }))
      throw std::runtime_error("what was waited for did not happen");
  }
  // For conditions, which hold the lock.
  int closed_so_far() const { return closed_; }
  int arrived_so_far() const { return arrived_; }
  int connections_so_far() const { return connections_; }

 private:
  template <class T>
  T locked(const T& value) {
    std::lock_guard lock(mutex_);
    return value;
  }
  template <class Change>
  void change(Change change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  // False when the server goes.
  bool wait_readable(int descriptor) const {
    pollfd waited[] = {{descriptor, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    while (poll(waited, 2, -1) < 0) {
    }
    return waited[1].revents == 0;
  }

  void accept_all() {
    while (wait_readable(listener_)) {
      int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      int number = 0;
      change([&] { number = connections_++; });
      serving_.emplace_back([this, descriptor, number] { serve(descriptor, number); });
    }
  }

  void serve(int descriptor, int number) {
    std::string buffer;
    auto then = Then::keep;
    for (int i = 0; then == Then::keep; ++i) {
      auto request = read_request(descriptor, buffer);
      if (!request) break;
      request->connection = number;
      request->on_connection = i;
      change([&] {
        request->number = static_cast<int>(received_.size());
        received_.push_back(*request);
      });
      auto answer = script_(*request);
      std::size_t step = answer.drips ? 1 : answer.bytes.size() + 1;
      for (std::size_t at = 0; at < answer.bytes.size(); at += step)
        if (!send_all(descriptor, std::string_view(answer.bytes).substr(at, step))) break;
      then = answer.then;
    }
    finish(descriptor, then);
  }

  // Without blocking for good: the peer may never read.
  bool send_all(int descriptor, std::string_view bytes) const {
    while (!bytes.empty()) {
      auto count = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno != EAGAIN) return false;
      if (count > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
        continue;
      }
      pollfd waited[] = {{descriptor, POLLOUT, 0}, {stop_[0], POLLIN, 0}};
      if (poll(waited, 2, -1) > 0 && waited[1].revents != 0) return false;
    }
    return true;
  }

  void finish(int descriptor, Then then) {
    if (then == Then::hold) wait_readable(stop_[0]);
    if (then == Then::reset_when_readable && wait_readable(descriptor)) {
      char byte;
      if (recv(descriptor, &byte, 1, MSG_PEEK) == 1) change([&] { ++arrived_; });
    }
    if (then == Then::reset || then == Then::reset_when_readable) {
      linger abortive{1, 0};
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
    }
    close(descriptor);
    change([&] { ++closed_; });
  }

  bool read_more(int descriptor, std::string& buffer) {
    if (!wait_readable(descriptor)) return false;
    char bytes[16 << 10];
    auto count = recv(descriptor, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    buffer.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  std::optional<Received> read_request(int descriptor, std::string& buffer) {
    if (buffer.empty() && !read_more(descriptor, buffer)) return std::nullopt;
    change([&] { ++arrived_; });
    std::size_t end;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos)
      if (!read_more(descriptor, buffer)) return std::nullopt;
    Received out;
    auto lines = split(buffer.substr(0, end), '\n');
    auto words = split(trim(lines.at(0)), ' ');
    out.method = words.at(0);
    out.target = words.at(1);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      auto colon = lines[i].find(':');
      out.headers.emplace_back(lower_ascii(lines[i].substr(0, colon)), trim(lines[i].substr(colon + 1)));
    }
    buffer.erase(0, end + 4);
    if (!reads_body_) return out;
    auto length = static_cast<std::size_t>(parse_integer(out.header("content-length")).value_or(0));
    while (buffer.size() < length)
      if (!read_more(descriptor, buffer)) return std::nullopt;
    out.body = buffer.substr(0, length);
    buffer.erase(0, length);
    return out;
  }

  const Script script_;
  const bool reads_body_;
  int listener_ = -1, port_ = 0;
  int stop_[2] = {-1, -1};
  std::mutex mutex_;
  std::condition_variable changed_;
  int connections_ = 0, closed_ = 0, arrived_ = 0;
  std::vector<Received> received_;
  std::vector<std::thread> serving_;  // by the accepting thread, and when it has ended
  std::thread accepting_;
};

// A deadline that is met unless something hangs.
inline Millis soon() {
  return steady_ms() + 20'000;
}

// A whole response.
inline std::string http_answer(int status, const std::string& body, const Headers& headers = {}) {
  auto out =
      "HTTP/1.1 " + std::to_string(status) + " Said so\r\ncontent-length: " + std::to_string(body.size());
  for (const auto& [name, value] : headers) out += "\r\n" + name + ": " + value;
  return out + "\r\n\r\n" + body;
}

}  // namespace segments::aws
