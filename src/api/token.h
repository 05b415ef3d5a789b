// Bearer tokens: JSON Web Tokens (RFC 7519) signed by HMAC-SHA256. The algorithm is pinned: what a token's
// header claims can only lead to its refusal. Any thread may call.
#pragma once

#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"

namespace segments {

constexpr Millis never = std::numeric_limits<Millis>::max();

struct VerifiedToken {
  std::string user;  // the claim `sub`
  Millis not_before = 0;
  Millis expires = never;  // the claims nbf and exp, without leeway
};

// A token for `segments token` and tests; without `expires` it is good until the secret changes.
std::string mint_token(std::string_view secret, std::string_view user, std::optional<Millis> expires,
                       Millis now);

// std::nullopt for whatever is not exactly a token of ours: another algorithm, a wrong signature, broken
// base64url or JSON, critical extensions, no `sub` of 1-200 bytes, above 8 KiB. `why` then says it for the
// log, never for the caller. The times are not looked at.
std::optional<VerifiedToken> verify_token(std::string_view secret, std::string_view token, std::string& why);

// Remembers verified tokens, so that the signature and the JSON of one that comes with every request are read
// once.
class TokenVerifier {
 public:
  explicit TokenVerifier(std::string secret, std::size_t most_remembered = 4'096);
  // The token's user, now; times with a leeway of 60 s.
  std::optional<std::string> find_user(std::string_view token, Millis now, std::string& why);
  std::size_t remembered();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view, std::string_view) const;  // in constant time
  };
  const std::string secret_;
  const std::size_t most_remembered_;
  std::mutex mutex_;
  std::unordered_map<std::string, VerifiedToken, Hash, Equal> known_;
};

}  // namespace segments
