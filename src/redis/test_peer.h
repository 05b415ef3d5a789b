// A listener that is no Redis: for what a real server cannot be made to send.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace segments::redis {

class TestPeer {
 public:
  // What to answer to the bytes that came on the connection of this number (from 0); an empty answer is
  // silence.
  using Answer = std::function<std::string(int connection, std::string_view bytes)>;

  // `drip` is sent again and again to those who were answered.
  explicit TestPeer(Answer answer, bool closes_after_answer = false, std::string drip = {})
      : answer_(std::move(answer)), closes_after_answer_(closes_after_answer), drip_(std::move(drip)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no port is free");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~TestPeer() {
    stopping_ = true;
    thread_.join();
    for (const auto& connection : polled_) close(connection.fd);
  }
  int port() const { return port_; }
  int connections() const { return connections_; }
  int messages() const { return messages_; }

 private:
  void run() {
    polled_.push_back({listener_, POLLIN, 0});
    while (!stopping_) {
      poll(polled_.data(), polled_.size(), drip_.empty() ? 5 : 1);
      for (std::size_t i = 1; i < polled_.size() && !drip_.empty() && messages_ > 0; ++i)
        send(polled_[i].fd, drip_.data(), drip_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (polled_[0].revents & POLLIN) {
        polled_.push_back({accept(listener_, nullptr, nullptr), POLLIN, 0});
        numbers_.push_back(connections_++);
        continue;
      }
      for (std::size_t i = 1; i < polled_.size(); ++i)
        if (polled_[i].revents != 0 && !serve(polled_[i].fd, numbers_[i])) {
          close(polled_[i].fd);
          polled_.erase(polled_.begin() + static_cast<long>(i));
          numbers_.erase(numbers_.begin() + static_cast<long>(i));
          break;
        }
    }
  }
  bool serve(int descriptor, int number) {
    char bytes[4096];
    auto count = recv(descriptor, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    ++messages_;
    auto answer = answer_(number, {bytes, static_cast<std::size_t>(count)});
    if (answer.empty()) return true;
    send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL);
    return !closes_after_answer_;
  }

  Answer answer_;
  bool closes_after_answer_;
  std::string drip_;
  int listener_ = -1, port_ = 0;
  std::vector<pollfd> polled_;
  std::vector<int> numbers_{-1};
  std::atomic<int> connections_ = 0, messages_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace segments::redis
