// A socket to a server, plain or TLS, that never blocks: whoever moves bytes waits with a deadline. For one
// thread at a time; not to be used in a forked child.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "net/patience.h"
#include "net/peer.h"

namespace segments::net {

class Stream {
 public:
  struct Moved {
    std::size_t bytes = 0;
    short wants = 0;  // where no byte was moved: the events (POLLIN, POLLOUT) after which it may be
  };
  virtual ~Stream() = default;
  // Throw Error{unavailable} where the peer has closed or the connection is broken.
  virtual Moved write_some(std::string_view) = 0;
  virtual Moved read_some(std::span<char>) = 0;
  virtual int number() const = 0;  // of the descriptor
};

// Looks the host up, connects to the first address that takes it, shakes hands where it is TLS. Throws
// Error{unavailable}.
std::unique_ptr<Stream> connect_stream(const Peer&, const Patience&);

}  // namespace segments::net
