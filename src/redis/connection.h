// One connection to a server, on which we are known and have chosen the database. Where anything but a
// deadline of next() throws, it is broken half-way and only to be closed. For one thread at a time.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "net/stream.h"
#include "redis/peer.h"
#include "redis/reply.h"

namespace segments::redis {

class Connection {
 public:
  // Connects, AUTH, SELECT. Throws Error{unavailable} where it cannot, or is refused.
  Connection(const Url&, const Patience&);
  // Sends printed commands and reads `count` replies, errors included.
  std::vector<Reply> exchange(std::string_view commands, std::size_t count, const Patience&);
  // What the server sends by itself; std::nullopt at the deadline.
  std::optional<Reply> next(const Patience&);
  // The server has neither closed it nor sent anything that nobody asked for.
  bool is_quiet();

 private:
  void introduce(const Url&, const Patience&);
  // Bytes moved into the reader, or what to wait for.
  net::Stream::Moved read_some();

  std::unique_ptr<net::Stream> stream_;
  ReplyReader reader_;
};

}  // namespace segments::redis
