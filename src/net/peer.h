// Whom to connect to, and how.
#pragma once

#include <string>

namespace segments::net {

struct Peer {
  std::string name;              // as errors call it: "Redis", "DynamoDB"; they never show its address
  std::string host;              // a name or an address (IPv6 without brackets)
  int port = 0;                  // 1 to 65535
  std::string socket_path = {};  // of a socket file, instead of host and port
  bool tls = false;
  bool verify = true;                         // the certificate and that it is the host's
  std::string ca_file = {};                   // PEM; empty: the system's
  std::string cert_file = {}, key_file = {};  // our own certificate, where it is asked for; empty: none, and
                                              // the key lies in cert_file
};

}  // namespace segments::net
