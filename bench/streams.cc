// Keeps many event streams of a server on this machine open and says when their events came.
//   bench_streams PORT TOKENS COUNT
// TOKENS: a file with one value of the header Authorization a line; the streams take them in turn. Prints
// "open" when all have begun. Then for each line "N" on its input: reads until N events have come in all, and
// prints the seconds (of CLOCK_MONOTONIC) at which the last came.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

int connect_to(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0 || connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  return descriptor;
}

void send_all(int descriptor, const std::string& text) {
  if (send(descriptor, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("send");
}

// An event has one line of data. A word that is cut in two by a packet's end is not found: the server writes
// each event as a whole.
std::size_t count_events(std::string_view text) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find("\ndata:", at)) != text.npos; ++at) ++found;
  return found;
}

int run(int port, const char* path, int count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  std::vector<std::string> tokens;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) tokens.push_back(line);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  char buffer[65536];
  for (int i = 0; i < count; ++i) {
    const int descriptor = connect_to(port);
    send_all(descriptor, "GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: " +
                             tokens[static_cast<std::size_t>(i) % tokens.size()] + "\r\n\r\n");
    const auto size = recv(descriptor, buffer, sizeof buffer, 0);
    if (size < 12 || std::string_view(buffer + 9, 3) != "200")
      throw std::runtime_error("a stream was refused");
    epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
  }
  std::cout << "open" << std::endl;
  epoll_event events[1024];
  for (std::size_t wanted = 0; std::cin >> wanted;) {
    for (std::size_t found = 0; found < wanted;) {
      const int ready = epoll_wait(epoll, events, 1024, 60'000);
      if (ready <= 0) throw std::runtime_error("only " + std::to_string(found) + " events came");
      for (int i = 0; i < ready; ++i) {
        const auto size = recv(events[i].data.fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (size == 0) throw std::runtime_error("the server ended a stream");
        if (size > 0) found += count_events({buffer, static_cast<std::size_t>(size)});
      }
    }
    const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
    std::printf("%.6f\n", now.count());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: bench_streams PORT TOKENS COUNT\n", stderr);
    return 2;
  }
  try {
    return run(std::atoi(argv[1]), argv[2], std::atoi(argv[3]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_streams: %s\n", error.what());
    return 1;
  }
}
