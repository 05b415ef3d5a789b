// A bare HTTP client for the tests: sends exactly the bytes it is given, and a server with a router around
// it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "http/server.h"

namespace segments::test {

constexpr int patience_ms = 20'000;  // a test that waits longer has failed

struct Answer {
  int status = 0;
  std::string head;  // in full, with the empty line
  std::string body;

  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
  std::string header(std::string_view name) const {
    auto at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos) return "";
    at += name.size() + 4;
    return head.substr(at, head.find("\r\n", at) - at);
  }
};

class Client {
 public:
  explicit Client(int port, int receive_buffer = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer) setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
  }
  ~Client() { close(); }
  Client(Client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  Client& operator=(Client&&) = delete;

  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  void end_sending() { shutdown(socket_, SHUT_WR); }

  // False when the server no longer takes it.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // More bytes; false at the end of the stream.
  bool receive() {
    pollfd waiting{socket_, POLLIN, 0};
    if (poll(&waiting, 1, patience_ms) != 1) throw std::runtime_error("the server does not answer");
    char bytes[65536];
    auto count = recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  // Up to and with `mark`; "" when the stream ends before.
  std::string read_until(std::string_view mark) {
    std::size_t at;
    while ((at = received_.find(mark)) == std::string::npos)
      if (!receive()) return "";
    auto text = received_.substr(0, at + mark.size());
    received_.erase(0, at + mark.size());
    return text;
  }

  std::string read_bytes(std::size_t count) {
    while (received_.size() < count)
      if (!receive()) break;
    auto text = received_.substr(0, count);
    received_.erase(0, count);
    return text;
  }

  // One answer. Status 0: the connection ended without one.
  Answer read_answer(bool has_body = true) {
    Answer answer;
    answer.head = read_until("\r\n\r\n");
    if (answer.head.empty()) return answer;
    answer.status = std::stoi(answer.head.substr(9, 3));
    auto length = answer.header("Content-Length");
    if (has_body && !length.empty()) answer.body = read_bytes(std::stoull(length));
    return answer;
  }

  Answer ask(std::string_view bytes) {
    send(bytes);
    return read_answer();
  }

  // All that is left; for connections that the server closes.
  std::string read_to_end() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }
  bool is_at_end() { return received_.empty() && !receive(); }
  int descriptor() const { return socket_; }

 private:
  int socket_;
  std::string received_;
};

inline std::string get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(headers) + "\r\n";
}

struct TestServer {
  explicit TestServer(std::vector<RouteHandler> routes, ServerOptions options = {},
                      RouterOptions router_options = {})
      : router(std::move(routes), with_metrics(std::move(router_options), metrics)),
        server(router, with_free_port(options), &metrics) {
    set_log_level(LogLevel::off);
    server.start();
  }
  static RouterOptions with_metrics(RouterOptions options, Metrics& metrics) {
    options.metrics = &metrics;
    return options;
  }
  static ServerOptions with_free_port(ServerOptions options) {
    options.port = 0;
    return options;
  }
  double connections() { return metrics.gauge("http_connections", "").value(); }
  Client client() { return Client(server.port()); }

  Metrics metrics;
  Router router;
  Server server;
};

// Waits for what another thread brings about. False when it does not happen.
template <class Condition>
bool eventually(Condition condition) {
  for (auto until = steady_ms() + patience_ms; steady_ms() < until; usleep(2000))
    if (condition()) return true;
  return condition();
}

inline RouteHandler route(std::string method, std::string pattern,
                          std::function<Response(const Request&)> handle, Runs runs = Runs::inline_) {
  return {std::move(method), std::move(pattern), runs, true, std::move(handle), nullptr};
}

}  // namespace segments::test
