#include "redis/resolve.h"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <thread>

namespace segments::redis {

namespace {

struct Lookup {
  Url url;
  Descriptor done{eventfd(0, EFD_CLOEXEC)};  // readable when it is ended
  std::atomic<bool> ended = false;
  int error = 0;
  std::vector<Address> found;
};

Address socket_file(const Url& url) {
  Address address;
  auto& file = reinterpret_cast<sockaddr_un&>(address.storage);
  if (url.socket_path.size() >= sizeof file.sun_path)
    throw unavailable("has a socket file of too long a name");
  file.sun_family = AF_UNIX;
  std::memcpy(file.sun_path, url.socket_path.c_str(), url.socket_path.size() + 1);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + url.socket_path.size() + 1);
  return address;
}

void look_up(Lookup& lookup, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  lookup.error = getaddrinfo(lookup.url.host.c_str(), std::to_string(lookup.url.port).c_str(), &hints, &list);
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

std::vector<Address> resolve(const Url& url, const Patience& patience) {
  if (!url.socket_path.empty()) return {socket_file(url)};
  auto lookup = std::make_shared<Lookup>();
  lookup->url = url;
  look_up(*lookup, AI_NUMERICHOST);
  if (lookup->error == 0) return lookup->found;
  if (lookup->done.number() < 0) throw unavailable("cannot be looked up: no descriptor is free");
  // getaddrinfo() takes as long as it likes and cannot be stopped: it is left behind on a thread of its own.
  try {
    std::thread([lookup] {
      look_up(*lookup, 0);
      lookup->ended = true;
      eventfd_write(lookup->done.number(), 1);
    }).detach();
  } catch (const std::system_error&) {
    throw unavailable("cannot be looked up: there is no thread for it");
  }
  await_events(lookup->done.number(), POLLIN, patience);
  if (!lookup->ended || lookup->error != 0)
    throw unavailable(std::string("cannot be looked up: ") + gai_strerror(lookup->error));
  return lookup->found;
}

}  // namespace segments::redis
