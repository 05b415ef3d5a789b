#include "net/resolve.h"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "base/descriptor.h"

namespace segments::net {

namespace {

struct Lookup {
  Peer peer;
  Descriptor done{eventfd(0, EFD_CLOEXEC)};  // readable when it is ended
  std::atomic<bool> ended = false;
  int error = 0;
  std::vector<Address> found;
};

Address socket_file(const Peer& peer) {
  Address address;
  auto& file = reinterpret_cast<sockaddr_un&>(address.storage);
  if (peer.socket_path.size() >= sizeof file.sun_path)
    throw unavailable(peer.name, "has a socket file of too long a name");
  file.sun_family = AF_UNIX;
  std::memcpy(file.sun_path, peer.socket_path.c_str(), peer.socket_path.size() + 1);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + peer.socket_path.size() + 1);
  return address;
}

void look_up(Lookup& lookup, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  lookup.error =
      getaddrinfo(lookup.peer.host.c_str(), std::to_string(lookup.peer.port).c_str(), &hints, &list);
  if (lookup.error != 0) return;
  for (auto* at = list; at; at = at->ai_next) {
    Address address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.length = at->ai_addrlen;
    lookup.found.push_back(address);
  }
  freeaddrinfo(list);
}

}  // namespace

std::vector<Address> resolve(const Peer& peer, const Patience& patience) {
  if (!peer.socket_path.empty()) return {socket_file(peer)};
  auto lookup = std::make_shared<Lookup>();
  lookup->peer = peer;
  look_up(*lookup, AI_NUMERICHOST);
  if (lookup->error == 0) return lookup->found;
  if (lookup->done.number() < 0) throw unavailable(peer.name, "cannot be looked up: no descriptor is free");
  // getaddrinfo() takes as long as it likes and cannot be stopped: it is left behind on a thread of its own.
  try {
    std::thread([lookup] {
      look_up(*lookup, 0);
      lookup->ended = true;
      eventfd_write(lookup->done.number(), 1);
    }).detach();
  } catch (const std::system_error&) {
    throw unavailable(peer.name, "cannot be looked up: there is no thread for it");
  }
  await_events(lookup->done.number(), POLLIN, patience, peer.name);
  if (!lookup->ended || lookup->error != 0)
    throw unavailable(peer.name, std::string("cannot be looked up: ") + gai_strerror(lookup->error));
  return lookup->found;
}

}  // namespace segments::net
