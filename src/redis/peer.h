// The server as net/ connects to it, and as errors call it.
#pragma once

#include <string>

#include "net/patience.h"
#include "net/peer.h"
#include "redis/url.h"

namespace segments::redis {

using net::Patience;

inline constexpr const char* server_name = "Redis";

inline Error unavailable(const std::string& what) {
  return net::unavailable(server_name, what);
}

inline net::Peer peer_of(const Url& url) {
  return {server_name, url.host,    url.port,      url.socket_path, url.tls,
          url.verify,  url.ca_file, url.cert_file, url.key_file};
}

}  // namespace segments::redis
