// Keeps many event streams of a server on this machine open and says when their events came.
//   bench_streams PORT TOKENS COUNT
// TOKENS: a file with one value of the header Authorization a line; the streams take them in turn. Prints
// "open" when all have begun. Then for each line "N" on its input: reads until N events have come in all, and
// prints the seconds (of CLOCK_MONOTONIC) at which the last came.
//   bench_streams bare COUNT BURST
// Writes as many bytes to as many connections of its own, BURST of them every 50 ms, and does nothing else:
// the least that this machine asks for a delivery. Prints "CPU WALL": µs of the writer's a write, and ms
// until another process has read the last.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
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

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void raise_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

constexpr int bare_rounds = 5;

// The other side of run_bare(): connects, then says when the last of each round came.
int read_bare(int port, int count, int told) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < count; ++i) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = connect_to(port)}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
  }
  static char buffer[65536];
  epoll_event events[1024];
  for (int round = 0; round < bare_rounds; ++round) {
    for (int found = 0; found < count;) {
      const int ready = epoll_wait(epoll, events, 1024, -1);
      for (int i = 0; i < ready; ++i)
        found += recv(events[i].data.fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0;
    }
    const double now = seconds_of(CLOCK_MONOTONIC);
    if (write(told, &now, sizeof now) != sizeof now) return 1;
  }
  return 0;
}

int run_bare(int count, int burst) {
  raise_limit();
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int told[2];
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 4096) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0 || pipe(told) != 0)
    throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
  const pid_t reader = fork();
  if (reader == 0) _exit(read_bare(ntohs(address.sin_port), count, told[1]));
  std::vector<int> connections;
  for (int i = 0; i < count; ++i) connections.push_back(accept(listener, nullptr, nullptr));
  const std::string event(240, 'x');
  std::vector<double> used, lasted;
  for (int round = 0; round < bare_rounds; ++round) {
    usleep(300'000);
    const double began = seconds_of(CLOCK_MONOTONIC), before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < count; ++i) {
      if (i > 0 && i % burst == 0) usleep(50'000);
      send_all(connections[static_cast<std::size_t>(i)], event);
    }
    used.push_back((seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before) / count * 1e6);
    double last = 0;
    if (read(told[0], &last, sizeof last) != sizeof last) throw std::runtime_error("the reader ended");
    lasted.push_back((last - began) * 1e3);
  }
  waitpid(reader, nullptr, 0);
  std::sort(used.begin(), used.end());
  std::sort(lasted.begin(), lasted.end());
  std::printf("%.2f %.1f\n", used[bare_rounds / 2], lasted[bare_rounds / 2]);
  return 0;
}

int run(int port, const char* path, int count) {
  raise_limit();
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
  const bool is_bare = argc == 4 && std::string_view(argv[1]) == "bare";
  if (argc != 4) {
    std::fputs("usage: bench_streams PORT TOKENS COUNT | bare COUNT BURST\n", stderr);
    return 2;
  }
  try {
    if (is_bare) return run_bare(std::atoi(argv[2]), std::atoi(argv[3]));
    return run(std::atoi(argv[1]), argv[2], std::atoi(argv[3]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_streams: %s\n", error.what());
    return 1;
  }
}
