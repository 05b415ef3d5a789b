#include "http/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "http/loop.h"

namespace segments {

using namespace http;

namespace {

constexpr int backlog = 4096;

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  else if (address.ss_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  return text;
}

// Beyond max_connections: one small answer, whether or not it is read.
void turn_away(int socket) {
  static constexpr std::string_view answer =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  char unread[4096];
  [[maybe_unused]] auto read = ::recv(socket, unread, sizeof unread, MSG_DONTWAIT);
  [[maybe_unused]] auto sent = ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket, SHUT_WR);
  ::close(socket);
}

}  // namespace

class Server::Core {
 public:
  Core(const Router& router, const ServerOptions& options, Metrics* metrics)
      : shared_(router, options, metrics) {
    for (int i = 0; i < std::max(1, options.io_threads); ++i)
      loops_.push_back(std::make_unique<Loop>(shared_));
    acceptor_.emplace(loops_[0]->context.get_executor());
  }

  ~Core() {
    stop_threads();
    // The pool goes first: what still runs on it writes into coroutines of the loops.
    shared_.pool.reset();
    for (auto& loop : loops_) loop->abandon_all();
  }

  void start() {
    listen();
    asio::co_spawn(loops_[0]->context.get_executor(), accept(), asio::detached);
    for (auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
  }

  int port() const { return port_; }

  void stop() {
    shared_.stopping = true;
    if (threads_.empty()) return;
    asio::post(loops_[0]->context, [this] {
      error_code ignored;
      acceptor_->close(ignored);
    });
    for (auto& loop : loops_) loop->stop_gracefully();
    std::unique_lock lock(shared_.mutex);
    shared_.closed.wait_for(lock, std::chrono::seconds(shared_.options.drain_seconds),
                            [&] { return shared_.open == 0; });
    lock.unlock();
    stop_threads();
  }

 private:
  void listen();
  Task<void> accept();
  void take(int socket, const sockaddr_storage& address);

  void stop_threads() {
    for (auto& loop : loops_) loop->stop_now();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  Shared shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::optional<Acceptor> acceptor_;
  std::vector<std::thread> threads_;
  int port_ = 0;
};

void Server::Core::listen() {
  const auto& options = shared_.options;
  error_code error;
  asio::ip::tcp::resolver resolver(loops_[0]->context);
  auto found =
      resolver.resolve(options.host, std::to_string(options.port), asio::ip::tcp::resolver::passive, error);
  if (!error && found.empty()) error = asio::error::host_not_found;
  if (!error) {
    auto endpoint = found.begin()->endpoint();
    acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(backlog, error);
    if (!error) acceptor_->native_non_blocking(true, error);
    if (!error) port_ = acceptor_->local_endpoint(error).port();
  }
  if (!error) return;
  error_code ignored;
  acceptor_->close(ignored);
  throw Error(ErrorKind::unavailable, "Cannot listen on " + options.host + " port " +
                                          std::to_string(options.port) + ": " + error.message() + ".");
}

Task<void> Server::Core::accept() {
  Timer pause(loops_[0]->context.get_executor());
  while (acceptor_->is_open()) {
    auto [error] = co_await acceptor_->async_wait(asio::socket_base::wait_read, awaiting);
    if (error) co_return;
    for (;;) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      int socket = ::accept4(acceptor_->native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket >= 0) {
        take(socket, address);
        continue;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      // Out of descriptors or memory: those who wait are taken when others have gone.
      log_warning("http.accept_failed", {{"errno", errno}});
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(awaiting);
      break;
    }
  }
}

void Server::Core::take(int socket, const sockaddr_storage& address) {
  if (shared_.open >= shared_.options.max_connections) {
    turn_away(socket);
    return;
  }
  // Handed out by count: the kernel's own spreading (SO_REUSEPORT) is uneven with few connections.
  auto fewest = std::min_element(loops_.begin(), loops_.end(), [](const auto& a, const auto& b) {
    return a->connections() < b->connections();
  });
  (*fewest)->adopt(socket, address_text(address));
}

Server::Server(const Router& router, const ServerOptions& options, Metrics* metrics)
    : core_(std::make_unique<Core>(router, options, metrics)) {}

Server::~Server() = default;

void Server::start() {
  core_->start();
}

int Server::port() const {
  return core_->port();
}

void Server::stop() {
  core_->stop();
}

}  // namespace segments
