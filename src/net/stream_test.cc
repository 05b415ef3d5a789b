#include "net/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <thread>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/ids.h"
#include "net/resolve.h"
#include "net/test_tls_peer.h"

namespace segments::net {
namespace {

Patience soon() {
  return {steady_ms() + 20'000};
}

template <class Call>
std::string failure_of(Call call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_EQ(error.retry_after_s(), 1);
    return error.what();
  }
}

void write_all(Stream& stream, std::string_view bytes) {
  while (!bytes.empty()) {
    auto moved = stream.write_some(bytes);
    bytes.remove_prefix(moved.bytes);
    if (moved.bytes == 0) await_events(stream.number(), moved.wants, soon(), "The peer");
  }
}

std::string read_bytes(Stream& stream, std::size_t count) {
  std::string out;
  char bytes[4096];
  while (out.size() < count) {
    auto moved = stream.read_some(bytes);
    out.append(bytes, moved.bytes);
    if (moved.bytes == 0) await_events(stream.number(), moved.wants, soon(), "The peer");
  }
  return out;
}

// A listener on loopback, or on a socket file.
class Listener {
 public:
  Listener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    socket_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    bind(socket_.number(), reinterpret_cast<sockaddr*>(&address), size);
    listen(socket_.number(), 8);
    getsockname(socket_.number(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  explicit Listener(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    socket_ = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    bind(socket_.number(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(socket_.number(), 8);
  }
  Descriptor take() { return Descriptor(accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC)); }
  int port = 0;

 private:
  Descriptor socket_;
};

Peer peer_at(int port, std::string host = "127.0.0.1") {
  return {.name = "The peer", .host = std::move(host), .port = port};
}

TEST(Patience, EndsAtItsDeadlineOrWhenItIsStopped) {
  Descriptor event(eventfd(0, EFD_CLOEXEC)), stop(eventfd(0, EFD_CLOEXEC));
  EXPECT_FALSE(wait_for_events(event.number(), POLLIN, {steady_ms() - 1}, "X"));
  EXPECT_FALSE(wait_for_events(-1, 0, {steady_ms() + 5}, "X"));
  EXPECT_EQ(failure_of([&] { await_events(event.number(), POLLIN, {steady_ms() + 5}, "X"); }),
            "X did not answer in time.");
  eventfd_write(event.number(), 1);
  EXPECT_TRUE(wait_for_events(event.number(), POLLIN, {0}, "X"));
  eventfd_write(stop.number(), 1);
  EXPECT_EQ(failure_of([&] {
              wait_for_events(event.number(), POLLIN, {0, stop.number()}, "X");
            }),
            "X is no longer waited for.");
}

TEST(Descriptor, IsClosedOnce) {
  int number;
  {
    Descriptor first(eventfd(0, EFD_CLOEXEC));
    number = first.number();
    Descriptor second(std::move(first));
    first = std::move(second);
    EXPECT_EQ(first.number(), number);
    EXPECT_NE(fcntl(number, F_GETFD), -1);
  }
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST(Resolve, FindsAddressesAndNames) {
  EXPECT_EQ(resolve(peer_at(80), soon()).size(), 1u);
  EXPECT_EQ(resolve(peer_at(80, "::1"), soon()).at(0).storage.ss_family, AF_INET6);
  EXPECT_GE(resolve(peer_at(80, "localhost"), soon()).size(), 1u);
  EXPECT_TRUE(failure_of([] {
                resolve(peer_at(80, "no-such-host.invalid"), soon());
              }).starts_with("The peer cannot be looked up: "));
  auto long_path = peer_at(0);
  long_path.socket_path = std::string(200, '/');
  EXPECT_EQ(failure_of([&] { resolve(long_path, soon()); }),
            "The peer has a socket file of too long a name.");
}

TEST(Stream, CarriesBytesBothWays) {
  Listener listener;
  auto stream = connect_stream(peer_at(listener.port, "localhost"), soon());
  auto other = listener.take();
  char byte;
  auto moved = stream->read_some({&byte, 1});
  EXPECT_EQ(moved.bytes, 0u);
  EXPECT_EQ(moved.wants, POLLIN);
  write_all(*stream, "ping");
  char got[4];
  EXPECT_EQ(recv(other.number(), got, 4, MSG_WAITALL), 4);
  send(other.number(), "pong", 4, 0);
  EXPECT_EQ(read_bytes(*stream, 4), "pong");
  // Until the other side reads no more.
  std::string big(1 << 20, 'x');
  while ((moved = stream->write_some(big)).bytes > 0) {
  }
  EXPECT_EQ(moved.wants, POLLOUT);
  EXPECT_NE(fcntl(stream->number(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Stream, BySocketFile) {
  auto path = (std::filesystem::temp_directory_path() / ("net-" + make_id())).string();
  Listener listener(path);
  auto peer = peer_at(0);
  peer.socket_path = path;
  auto stream = connect_stream(peer, soon());
  auto other = listener.take();
  send(other.number(), "x", 1, 0);
  EXPECT_EQ(read_bytes(*stream, 1), "x");
  std::filesystem::remove(path);
  EXPECT_TRUE(failure_of([&] { connect_stream(peer, soon()); }).starts_with("The peer cannot be reached: "));
}

TEST(Stream, SaysHowItEnded) {
  Listener listener;
  auto stream = connect_stream(peer_at(listener.port), soon());
  listener.take();
  EXPECT_EQ(failure_of([&] { read_bytes(*stream, 1); }), "The peer has closed the connection.");
  stream = connect_stream(peer_at(listener.port), soon());
  {
    auto other = listener.take();
    linger abortive{1, 0};
    setsockopt(other.number(), SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
  }
  EXPECT_TRUE(
      failure_of([&] { read_bytes(*stream, 1); }).starts_with("The peer has broken the connection: "));
  // No signal ends the process here.
  EXPECT_NE(failure_of([&] { write_all(*stream, std::string(1 << 20, 'x')); }), "");
  EXPECT_TRUE(
      failure_of([] { connect_stream(peer_at(1), soon()); }).starts_with("The peer cannot be reached: "));
}

class Tls : public testing::Test {
 protected:
  Peer peer(const TestTlsPeer& server, std::string host = "localhost") const {
    auto out = peer_at(server.port(), std::move(host));
    out.tls = true;
    out.ca_file = server.ca_file();
    return out;
  }
};

TEST_F(Tls, VerifiesNameAndAuthority) {
  TestTlsPeer server({.answer = "hello"});
  for (const char* host : {"localhost", "127.0.0.1"}) {
    auto stream = connect_stream(peer(server, host), soon());
    write_all(*stream, "\r\n\r\n");
    EXPECT_EQ(read_bytes(*stream, 5), "hello");
  }
  // A name is asked for by SNI, an address is not.
  EXPECT_EQ(server.asked_names(), (std::vector<std::string>{"localhost", ""}));
  auto of_the_system = peer(server);
  of_the_system.ca_file = "";
  EXPECT_TRUE(failure_of([&] {
                connect_stream(of_the_system, soon());
              }).starts_with("The peer has a certificate that is not trusted: "));
  of_the_system.verify = false;
  EXPECT_EQ(failure_of([&] { connect_stream(of_the_system, soon()); }), "");
  TestTlsPeer other({.names = "DNS:other.example"});
  EXPECT_NE(failure_of([&] { connect_stream(peer(other), soon()); }).find("not trusted"), std::string::npos);
  auto unreadable = peer(server);
  unreadable.ca_file = "/nonexistent";
  EXPECT_NE(failure_of([&] { connect_stream(unreadable, soon()); }).find("cannot be read"),
            std::string::npos);
}

TEST_F(Tls, SaysWhereItWasCut) {
  TestTlsPeer server({.answer = "hello", .cuts = true});
  auto stream = connect_stream(peer(server), soon());
  write_all(*stream, "\r\n\r\n");
  EXPECT_EQ(read_bytes(*stream, 5), "hello");
  auto failure = failure_of([&] { read_bytes(*stream, 1); });
  EXPECT_TRUE(failure.starts_with("The peer has broken the connection")) << failure;
}

TEST_F(Tls, EndsAtItsDeadline) {
  Listener silent;
  auto peer = peer_at(silent.port);
  peer.tls = true;
  EXPECT_EQ(failure_of([&] { connect_stream(peer, {steady_ms() + 20}); }),
            "The peer did not answer in time.");
}

}  // namespace
}  // namespace segments::net
