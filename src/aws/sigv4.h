// AWS Signature Version 4: requests signed by a header, or by their query (presigned URLs). Pure functions:
// the time is an argument. Source: AWS General Reference, "Signature Version 4 signing process".
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/headers.h"
#include "base/time.h"

namespace segments::aws {

// Access keys. `session_token` is empty for keys that do not expire.
struct Keys {
  std::string access_key_id, secret_access_key, session_token;
};

// What a signature is good for.
struct Scope {
  std::string_view region, service;
  Millis time;  // of the signature, since 1970; AWS takes it within 15 minutes of its own
};

// Instead of a body's digest: S3 takes the body as it comes (over TLS).
inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

using Query = std::vector<std::pair<std::string, std::string>>;

struct SigningRequest {
  std::string method;
  std::string path =
      "/";           // decoded, beginning with a slash; it is encoded once. S3 wants it so; other services
                     // encode twice, which is the same for the "/" that all their calls here have.
  Query query = {};  // decoded
  Headers headers = {};           // all of them are signed; `host` must be among them
  std::string payload_hash = {};  // SHA-256 in lower-case hex, or unsigned_payload
  // Dot segments and doubled slashes are taken out of the path. Not for S3, where they are part of the key.
  bool normalize_path = false;
  // The token is sent, but was not signed (a few services want it so).
  bool omit_session_token = false;
};

struct Signature {
  std::string target;  // path and query as they were signed, and so must be sent; with the signature, where
                       // the query carries it
  Headers added;       // to be sent besides the request's: x-amz-date, x-amz-security-token, authorization
  std::string canonical_request, string_to_sign, value;  // for tests and for finding mistakes; value is hex
};

// The key that signs, which is derived from the secret one by four HMACs and is the same for a day, a region
// and a service: the last one, remembered. For all threads at once.
class SigningKeys {
 public:
  std::string find(const std::string& secret, const std::string& scope,
                   const std::function<std::string()>& derive);

 private:
  std::mutex mutex_;
  std::string secret_, scope_, key_;
};

// Signs with an Authorization header. x-amz-content-sha256, where the service wants it, is for the caller to
// put among the headers.
Signature sign_headers(const SigningRequest&, const Keys&, const Scope&, SigningKeys* = nullptr);

// Signs with the query: a URL that works for `expires_s` seconds (1 to 604800, a week; but never longer than
// the session token lives). Nothing is added to the headers; whoever uses the URL must send those signed.
Signature sign_query(const SigningRequest&, const Keys&, const Scope&, int expires_s, SigningKeys* = nullptr);

// SHA-256 in lower-case hex.
std::string hex_sha256(std::string_view);

}  // namespace segments::aws
