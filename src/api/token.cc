#include "api/token.h"

#include <boost/json.hpp>
#include <cmath>

#include "base/crypto.h"
#include "base/text.h"
#include "describe/decode.h"
#include "describe/encode.h"

namespace segments {

namespace {

constexpr std::size_t max_token_bytes = 8 * 1024;
constexpr std::size_t max_remembered_bytes = 2 * 1024;
constexpr Millis leeway = 60'000;
constexpr std::string_view our_header = R"({"alg":"HS256","typ":"JWT"})";

std::optional<boost::json::object> parse_object(std::string_view base64url) {
  auto text = decode_base64url(base64url);
  if (!text || !is_utf8(*text)) return std::nullopt;
  boost::json::error_code error;
  auto json = boost::json::parse(*text, error);
  if (error || !json.is_object()) return std::nullopt;
  return std::move(json.as_object());
}

// RFC 7515: a header with `crit` asks for extensions that we do not know.
const char* fault_of_header(const boost::json::object& header) {
  const auto* algorithm = header.if_contains("alg");
  if (!algorithm || !algorithm->is_string() || algorithm->get_string() != "HS256") return "algorithm";
  if (header.contains("crit")) return "critical extension";
  const auto* type = header.if_contains("typ");
  if (type && (!type->is_string() || lower_ascii(std::string_view(type->get_string())) != "jwt"))
    return "type";
  return nullptr;
}

// A NumericDate: seconds, fractions allowed. False when it is there and not a sensible number.
bool read_time(const boost::json::object& claims, std::string_view name, Millis& out) {
  const auto* value = claims.if_contains(name);
  if (!value) return true;
  boost::json::error_code error;
  double seconds = value->is_number() ? value->to_number<double>(error) : NAN;
  if (!std::isfinite(seconds) || std::abs(seconds) > 1e12) return false;
  out = static_cast<Millis>(seconds * 1'000);
  return true;
}

}  // namespace

std::string mint_token(std::string_view secret, std::string_view user, std::optional<Millis> expires,
                       Millis now) {
  std::string claims = "{\"sub\":";
  encode_string(claims, user);
  claims += ",\"iat\":" + std::to_string(now / 1'000);
  if (expires) claims += ",\"exp\":" + std::to_string(*expires / 1'000);
  claims += '}';
  std::string signed_part = encode_base64url(our_header) + "." + encode_base64url(claims);
  return signed_part + "." + encode_base64url(hmac_sha256(secret, signed_part));
}

std::optional<VerifiedToken> verify_token(std::string_view secret, std::string_view token, std::string& why) {
  auto refuse = [&](const char* reason) {
    why = reason;
    return std::nullopt;
  };
  if (token.size() > max_token_bytes) return refuse("size");
  auto first = token.find('.');
  auto second = first == token.npos ? token.npos : token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) return refuse("form");
  auto header = parse_object(token.substr(0, first));
  if (!header) return refuse("form");
  if (const char* fault = fault_of_header(*header)) return refuse(fault);
  // Two texts of one signature would be two tokens: the canonical text alone is taken.
  std::string signature = encode_base64url(hmac_sha256(secret, token.substr(0, second)));
  if (secret.empty() || !equal_in_constant_time(signature, token.substr(second + 1)))
    return refuse("signature");

  auto claims = parse_object(token.substr(first + 1, second - first - 1));
  if (!claims) return refuse("form");
  VerifiedToken verified;
  if (!read_time(*claims, "exp", verified.expires) || !read_time(*claims, "nbf", verified.not_before))
    return refuse("times");
  const auto* user = claims->if_contains("sub");
  if (!user || !user->is_string()) return refuse("subject");
  verified.user = user->get_string();
  if (verified.user.empty() || verified.user.size() > 200 || has_control(verified.user))
    return refuse("subject");
  return verified;
}

TokenVerifier::TokenVerifier(std::string secret, std::size_t most_remembered)
    : secret_(std::move(secret)), most_remembered_(most_remembered) {}

bool TokenVerifier::Equal::operator()(std::string_view a, std::string_view b) const {
  return equal_in_constant_time(a, b);
}

std::optional<std::string> TokenVerifier::find_user(std::string_view token, Millis now, std::string& why) {
  std::optional<VerifiedToken> verified;
  {
    std::lock_guard lock(mutex_);
    if (auto known = known_.find(token); known != known_.end()) verified = known->second;
  }
  if (!verified) {
    verified = verify_token(secret_, token, why);
    if (!verified) return std::nullopt;
    if (token.size() <= max_remembered_bytes) {
      std::lock_guard lock(mutex_);
      if (known_.size() >= most_remembered_)
        std::erase_if(known_, [&](const auto& entry) { return entry.second.expires + leeway <= now; });
      // Only holders of the secret fill it, so that starting afresh is rare and cheap.
      if (known_.size() >= most_remembered_) known_.clear();
      known_.emplace(token, *verified);
    }
  }
  if (verified->expires != never && now - leeway >= verified->expires) {
    why = "expired";
    return std::nullopt;
  }
  if (now + leeway < verified->not_before) {
    why = "not yet valid";
    return std::nullopt;
  }
  return std::move(verified->user);
}

std::size_t TokenVerifier::remembered() {
  std::lock_guard lock(mutex_);
  return known_.size();
}

}  // namespace segments
