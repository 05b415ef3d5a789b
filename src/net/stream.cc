#include "net/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "net/resolve.h"
#include "net/tls.h"

namespace segments::net {

namespace {

std::string reason(int error) {
  return std::system_category().message(error);
}

class PlainStream : public Stream {
 public:
  PlainStream(Descriptor socket, std::string_view name) : socket_(std::move(socket)), name_(name) {}

  Moved write_some(std::string_view bytes) override {
    return moved(::send(number(), bytes.data(), bytes.size(), MSG_NOSIGNAL), POLLOUT);
  }
  Moved read_some(std::span<char> into) override {
    auto count = ::recv(number(), into.data(), into.size(), 0);
    if (count == 0) throw unavailable(name_, "has closed the connection");
    return moved(count, POLLIN);
  }
  int number() const override { return socket_.number(); }

 private:
  Moved moved(ssize_t count, short wants) const {
    if (count >= 0) return {static_cast<std::size_t>(count), 0};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {0, wants};
    throw unavailable(name_, "has broken the connection: " + reason(errno));
  }
  Descriptor socket_;
  std::string name_;
};

void set_option(int socket, int level, int name, int value) {
  // What a kernel does not know is not missed: these only make things faster or failures seen earlier.
  (void)setsockopt(socket, level, name, &value, sizeof value);
}

Descriptor connect_socket(const Address& address, const Peer& peer, const Patience& patience) {
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.number() < 0) throw unavailable(peer.name, "has no socket: " + reason(errno));
  if (address.storage.ss_family != AF_UNIX) {
    set_option(socket.number(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(socket.number(), SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket.number(), IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_option(socket.number(), IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set_option(socket.number(), IPPROTO_TCP, TCP_KEEPCNT, 3);
  }
  if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0)
    return socket;
  if (errno != EINPROGRESS && errno != EINTR)
    throw unavailable(peer.name, "cannot be reached: " + reason(errno));
  await_events(socket.number(), POLLOUT, patience, peer.name);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) throw unavailable(peer.name, "cannot be reached: " + reason(error));
  return socket;
}

// To the first address that takes the connection.
Descriptor connect_any(const std::vector<Address>& addresses, const Peer& peer, const Patience& patience) {
  for (std::size_t i = 0; i + 1 < addresses.size(); ++i) {
    // An address that swallows packets leaves some time for the others.
    auto now = steady_ms();
    auto share = (patience.deadline - now) / static_cast<Millis>(addresses.size() - i);
    try {
      return connect_socket(addresses[i], peer, {now + share, patience.stop});
    } catch (const Error&) {
      if (steady_ms() >= patience.deadline) throw;
    }
  }
  return connect_socket(addresses.back(), peer, patience);
}

}  // namespace

std::unique_ptr<Stream> connect_stream(const Peer& peer, const Patience& patience) {
  auto socket = connect_any(resolve(peer, patience), peer, patience);
  if (peer.tls) return connect_tls(std::move(socket), peer, patience);
  return std::make_unique<PlainStream>(std::move(socket), peer.name);
}

}  // namespace segments::net
