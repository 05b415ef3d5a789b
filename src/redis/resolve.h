// From names to socket addresses.
#pragma once

#include <sys/socket.h>

#include <vector>

#include "redis/stream.h"

namespace segments::redis {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// At least one, in the order to try. Throws Error{unavailable}.
std::vector<Address> resolve(const Url&, const Patience&);

}  // namespace segments::redis
