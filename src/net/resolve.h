// From names to socket addresses.
#pragma once

#include <sys/socket.h>

#include <vector>

#include "net/patience.h"
#include "net/peer.h"

namespace segments::net {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// At least one, in the order to try. Throws Error{unavailable}.
std::vector<Address> resolve(const Peer&, const Patience&);

}  // namespace segments::net
