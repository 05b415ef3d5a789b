// REDIS_URL: redis://[user[:password]@]host[:port][/db], rediss:// for TLS, redis+socket:// or unix:// for a
// socket file
// ([user[:password]@]/path). Also taken: ?db=3 or ?virtual_host=3, and for TLS ?ssl_cert_reqs=,
// ?ssl_ca_certs=FILE, ?ssl_certfile=FILE, ?ssl_keyfile=FILE as kombu and redis-py spell them. Other options
// of theirs are passed over, since Python programs share the URL.
#pragma once

#include <string>
#include <string_view>

namespace segments::redis {

struct Url {
  std::string host = "localhost";
  int port = 6379;
  std::string socket_path = {};          // instead of host and port
  std::string user = {}, password = {};  // percent-decoded
  int db = 0;
  bool tls = false;
  bool verify = true;        // ?ssl_cert_reqs=none (or CERT_NONE) turns it off
  std::string ca_file = {};  // empty: the system's
  std::string cert_file = {},
              key_file = {};  // our own certificate, where the server asks for one; empty: none

  std::string shown() const;  // without the password: for logs and errors
};

// Throws Error{invalid} with one sentence that does not repeat the password.
Url parse_url(std::string_view);

}  // namespace segments::redis
