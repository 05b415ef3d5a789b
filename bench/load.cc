// Sends HTTP requests to a server on this machine and says how many were answered, and how soon.
//   bench_load PORT REQUESTS SECONDS [CONNECTIONS=64] [RATE=0] [WARM_SECONDS=1]
// REQUESTS: a file with one JSON object a line: {"method", "path", "headers": {}, "body": ""}. They are sent
// in turn; `{n}` in a path or body is the number of the request. RATE 0: each connection sends as soon as it
// has its answer. Else so many a second are due, at even distances, and each one's time runs from when it was
// due, whether or not a connection was free to send it: a server that stands still for a while makes all wait
// that were due meanwhile. With a rate it looks 4,000 times a second for what is due and what was answered:
// times are up to two looks longer than the server took, never shorter. It asks for real-time turns then: a
// client's machine is not busy with what the server does beside. Where it is not allowed to have them, or a
// host gives its processor to others, "late_p999" tells how late its own looks were, which no server can
// help. What begins in the first WARM_SECONDS is not counted. Prints a line when all connections are there,
// and at the end one JSON object, times in microseconds; keeps the connections until its input ends. So what
// a server needs to take thousands of connections and to let them go can be told from what requests cost.
// Exit code 1 where an answer was neither a success nor 304.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/src.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/processor.h"

namespace {

using Clock = std::chrono::steady_clock;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

// A request as bytes; a number stands between each two pieces.
struct Template {
  std::vector<std::string> head, body;

  static std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> pieces;
    for (std::size_t at; (at = text.find("{n}")) != text.npos; text.remove_prefix(at + 3))
      pieces.emplace_back(text.substr(0, at));
    pieces.emplace_back(text);
    return pieces;
  }
  static void join(const std::vector<std::string>& pieces, std::string_view number, std::string& into) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (i) into += number;
      into += pieces[i];
    }
  }
  void write(std::int64_t n, std::string& into) const {
    const std::string number = std::to_string(n);
    join(head, number, into);
    std::size_t size = number.size() * (body.size() - 1);
    for (const auto& piece : body) size += piece.size();
    if (size) into += "Content-Length: " + std::to_string(size) + "\r\n";
    into += "\r\n";
    join(body, number, into);
  }
};

std::vector<Template> read_requests(const char* path) {
  std::ifstream file(path);
  std::vector<Template> requests;
  for (std::string line; std::getline(file, line);) {
    const auto one = boost::json::parse(line);
    std::string head = std::string(one.at("method").as_string()) + " " +
                       std::string(one.at("path").as_string()) + " HTTP/1.1\r\nHost: localhost\r\n";
    if (const auto* headers = one.as_object().if_contains("headers"))
      for (const auto& [name, value] : headers->as_object())
        head += std::string(name) + ": " + std::string(value.as_string()) + "\r\n";
    const auto* body = one.as_object().if_contains("body");
    requests.push_back(
        {Template::split(head), Template::split(body ? std::string_view(body->as_string()) : "")});
  }
  if (requests.empty()) throw std::runtime_error("no requests");
  return requests;
}

struct Connection {
  int descriptor = -1;
  std::string sending, received;
  std::int64_t due = 0;  // of the request under way, in ns
};

// The size of the whole answer at the front of the text, or 0 while it is not there.
std::size_t size_of_answer(std::string_view text) {
  const auto end = text.find("\r\n\r\n");
  if (end == text.npos) return 0;
  static constexpr std::string_view name = "content-length:";
  for (std::size_t at = text.find("\r\n"); at < end; at = text.find("\r\n", at + 2)) {
    const auto line = text.substr(at + 2, name.size());
    if (!std::ranges::equal(line, name, {}, [](char c) { return static_cast<char>(c | 0x20); }, {})) continue;
    const char* digits = text.data() + at + 2 + name.size();
    while (*digits == ' ') ++digits;
    std::size_t length = 0;
    std::from_chars(digits, text.data() + end, length);
    return text.size() >= end + 4 + length ? end + 4 + length : 0;
  }
  return end + 4;
}

constexpr std::int64_t look_ns = 250'000;  // between looks, with a rate

class Load {
 public:
  Load(int port, std::vector<Template> requests, double seconds, int connections, double rate, double warm)
      : requests_(std::move(requests)), rate_(rate) {
    connections_.resize(static_cast<std::size_t>(connections));
    for (std::size_t i = 0; i < connections_.size(); ++i) connect(i, port);
    std::puts("connected");
    std::fflush(stdout);
    begin_ = now_ns();
    counted_from_ = begin_ + static_cast<std::int64_t>(warm * 1e9);
    end_ = counted_from_ + static_cast<std::int64_t>(seconds * 1e9);
  }

  int run() {
    for (std::size_t i = 0; i < connections_.size(); ++i)
      rate_ > 0 ? free_.push_back(i) : send_next(i, now_ns());
    epoll_event events[256];
    while (true) {
      const auto now = now_ns();
      if (rate_ > 0) send_what_is_due(now);
      if (now >= end_ && (rate_ <= 0 || now >= end_ + 5'000'000'000 ||
                          (free_.size() == connections_.size() && next_due() >= end_)))
        break;
      if (rate_ > 0) sleep_until_next_look(now);
      const int count = epoll_wait(epoll_, events, 256, rate_ > 0 ? 0 : 100);
      for (int i = 0; i < count; ++i) receive(events[i].data.u64);
    }
    return report();
  }

 private:
  void connect(std::size_t i, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_[i].descriptor = descriptor;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  std::int64_t next_due() const {
    return begin_ + static_cast<std::int64_t>(static_cast<double>(sent_) / rate_ * 1e9);
  }
  // Woken for each request and each answer, this program would take a core from the server that it measures.
  void sleep_until_next_look(std::int64_t now) {
    const auto next = (now / look_ns + 1) * look_ns;
    const timespec until{static_cast<time_t>(next / 1'000'000'000), static_cast<long>(next % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    if (next >= counted_from_) late_us_.push_back(static_cast<float>(now_ns() - next) / 1000);
  }
  void send_what_is_due(std::int64_t now) {
    while (!free_.empty() && next_due() <= now && next_due() < end_) {
      const auto due = next_due();
      const std::size_t i = free_.front();
      free_.pop_front();
      send_next(i, due);
    }
  }
  void send_next(std::size_t i, std::int64_t due) {
    auto& connection = connections_[i];
    connection.due = due;
    connection.sending.clear();
    const auto n = sent_++;
    requests_[static_cast<std::size_t>(n) % requests_.size()].write(n, connection.sending);
    for (std::string_view left = connection.sending; !left.empty();) {
      const auto count = send(connection.descriptor, left.data(), left.size(), MSG_NOSIGNAL);
      if (count <= 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
      left.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void receive(std::size_t i) {
    auto& connection = connections_[i];
    char buffer[65536];
    const auto count = recv(connection.descriptor, buffer, sizeof buffer, 0);
    if (count <= 0) throw std::runtime_error("the server hung up");
    connection.received.append(buffer, static_cast<std::size_t>(count));
    const auto size = size_of_answer(connection.received);
    if (!size) return;
    const auto now = now_ns();
    const auto status = std::string_view(connection.received).substr(std::min<std::size_t>(9, size), 3);
    const bool is_success = status.starts_with('2') || status == "304";
    if (!is_success && refused_++ == 0) first_refusal_ = connection.received.substr(0, 500);
    if (connection.due >= counted_from_ && (rate_ > 0 || now < end_)) {
      took_us_.push_back(static_cast<float>(now - connection.due) / 1000);
      bytes_ += size;
    }
    connection.received.erase(0, size);
    if (rate_ > 0)
      free_.push_back(i);
    else if (now < end_)
      send_next(i, now);
  }
  int report() {
    std::ranges::sort(took_us_);
    std::ranges::sort(late_us_);
    const auto quantile = [](const std::vector<float>& sorted, double share) {
      if (sorted.empty()) return 0.0;
      return static_cast<double>(sorted[std::min(
          sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))]);
    };
    const auto at = [&](double share) { return quantile(took_us_, share); };
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const double seconds = static_cast<double>(end_ - counted_from_) / 1e9;
    boost::json::object told{
        {"answers", took_us_.size()},
        {"sent", sent_},
        {"seconds", seconds},
        {"rate", static_cast<double>(took_us_.size()) / seconds},
        {"bytes", bytes_},
        {"refused", refused_},
        {"p50", at(0.5)},
        {"p90", at(0.9)},
        {"p99", at(0.99)},
        {"p999", at(0.999)},
        {"most", at(1)},
        {"late_p999", quantile(late_us_, 0.999)},
        {"cpu_of_this_us", static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                               static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec)}};
    if (refused_) told["first_refusal"] = first_refusal_;
    std::puts(boost::json::serialize(told).c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) continue;
    return refused_ ? 1 : 0;
  }

  const std::vector<Template> requests_;
  const double rate_;
  std::int64_t begin_ = 0, counted_from_ = 0, end_ = 0;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Connection> connections_;
  std::deque<std::size_t> free_;
  std::int64_t sent_ = 0;
  std::size_t refused_ = 0, bytes_ = 0;
  std::string first_refusal_;
  std::vector<float> took_us_, late_us_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i, double otherwise) { return i < argc ? std::atof(argv[i]) : otherwise; };
  if (argc < 4) {
    std::fputs("usage: bench_load PORT REQUESTS SECONDS [CONNECTIONS=64] [RATE=0] [WARM_SECONDS=1]\n",
               stderr);
    return 2;
  }
  // What this program is late itself would be counted as the server's: its waits end within a microsecond,
  // instead of fifty.
  prctl(PR_SET_TIMERSLACK, 1'000);
  segments::ask_for_short_turns();
  const sched_param first{.sched_priority = 1};
  if (number(5, 0) > 0) sched_setscheduler(0, SCHED_FIFO, &first);
  try {
    return Load(std::atoi(argv[1]), read_requests(argv[2]), number(3, 0), static_cast<int>(number(4, 64)),
                number(5, 0), number(6, 1))
        .run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 1;
  }
}
