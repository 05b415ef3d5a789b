// REDIS_URL: redis://[user[:password]@]host[:port][/db], rediss:// for TLS, redis+socket:// or unix:// for a socket file.
#pragma once

#include <string>
#include <string_view>

namespace segments::redis {

struct Url {
  std::string host = "localhost";
  int port = 6379;
  std::string socket_path = {};  // instead of host and port
  std::string user = {}, password = {};  // percent-decoded
  int db = 0;
  bool tls = false;
  bool verify = true;         // ?ssl_cert_reqs=none turns it off, as kombu spells it (CERT_NONE, none); ?ssl_ca_certs=FILE
  std::string ca_file = {};   // empty: the system's

  std::string shown() const;  // without the password: for logs and errors
};

// Throws Error{invalid} with one sentence that does not repeat the password.
Url parse_url(std::string_view);

}  // namespace segments::redis
