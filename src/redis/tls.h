// TLS on a connected socket, by OpenSSL.
#pragma once

#include "redis/stream.h"

namespace segments::redis {

// Shakes hands; verifies certificate and host name unless the URL says otherwise. Throws Error{unavailable}.
std::unique_ptr<Stream> connect_tls(Descriptor socket, const Url&, const Patience&);

}  // namespace segments::redis
