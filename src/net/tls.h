// TLS on a connected socket, by OpenSSL.
#pragma once

#include <memory>

#include "base/descriptor.h"
#include "net/stream.h"

namespace segments::net {

// Shakes hands; verifies certificate and host name unless the peer is not to be verified. Throws
// Error{unavailable}.
std::unique_ptr<Stream> connect_tls(Descriptor socket, const Peer&, const Patience&);

}  // namespace segments::net
