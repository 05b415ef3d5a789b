#include "api/auth.h"

#include "api/handlers.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {

namespace {

// The one kind of route that takes a ticket.
bool is_stream(std::string_view path) {
  return path == "/api/events" || (path.starts_with("/api/job-progress/") && path.ends_with("/stream"));
}

std::string ticket_signature(std::string_view auth_secret, std::string_view payload) {
  // A key of its own: no ticket is ever a token, nor the other way round.
  return hmac_sha256(hmac_sha256(auth_secret, "stream ticket"), payload);
}

}  // namespace

std::string make_ticket(std::string_view auth_secret, std::string_view user, Millis now) {
  std::string payload = std::to_string(now + ticket_lifetime) + ":" + std::string(user);
  return encode_base64url(ticket_signature(auth_secret, payload) + payload);
}

std::optional<std::string> find_ticket_user(std::string_view auth_secret, std::string_view ticket,
                                            Millis now) {
  constexpr std::size_t signature_bytes = 32;
  if (auth_secret.empty() || ticket.size() > 1'024) return std::nullopt;
  auto bytes = decode_base64url(ticket);
  if (!bytes || bytes->size() <= signature_bytes || encode_base64url(*bytes) != ticket) return std::nullopt;
  std::string_view payload = std::string_view(*bytes).substr(signature_bytes);
  if (!equal_in_constant_time(ticket_signature(auth_secret, payload),
                              std::string_view(*bytes).substr(0, signature_bytes)))
    return std::nullopt;
  auto colon = payload.find(':');
  auto expires = parse_integer(payload.substr(0, colon));
  if (colon == payload.npos || !expires || now >= *expires) return std::nullopt;
  return std::string(payload.substr(colon + 1));
}

Admission::Admission(const ServiceSettings& settings, Metrics& metrics)
    : settings_(settings),
      tokens_(settings.auth_secret),
      requests_(settings.requests_per_minute),
      rejected_(metrics.counter("segments_auth_rejected_total", "Requests without valid credentials")),
      limited_(metrics.counter("segments_rate_limited_total", "Requests refused by a rate limit")) {}

void Admission::admit(Request& request, bool is_public) {
  const Millis now = now_ms();
  request.trusted = settings_.auth == AuthMode::none;
  if (request.trusted) {
    auto named = request.query_parameter("user_id");
    request.user_named = named && !named->empty();
    request.user = request.user_named ? std::string(*named) : "anonymous";
    if (const char* fault = fault_of_user_id(request.user))
      throw invalid_input({{"user_id", "format", fault}});
  } else if (!is_public) {
    request.user = user_of(request, now);
    for (const auto& [name, value] : request.query)
      if (name == "user_id" && !value.empty() && value != request.user)
        throw Error(ErrorKind::forbidden, "The user_id of the query is not the user of the token.");
  }
  if (is_public) return;
  if (int wait = requests_.take(request.user, now)) {
    limited_.add();
    throw Error(ErrorKind::rate_limited, "Too many requests; try again in " + std::to_string(wait) + " s.",
                {}, wait);
  }
}

std::string Admission::user_of(const Request& request, Millis now) {
  std::string_view header = request.header("authorization");
  std::string why = "no token";
  std::optional<std::string> user;
  if (header.empty()) {
    auto ticket = is_stream(request.path) ? request.query_parameter("ticket") : std::nullopt;
    if (ticket) {
      user = find_ticket_user(settings_.auth_secret, *ticket, now);
      why = "ticket";
    }
  } else if (lower_ascii(header.substr(0, 7)) != "bearer ") {
    why = "scheme";
  } else {
    user = tokens_.find_user(trim(header.substr(7)), now, why);
  }
  if (!user) reject(request, why, now);
  return std::move(*user);
}

void Admission::reject(const Request& request, const std::string& why, Millis now) {
  rejected_.add();
  // Who has a valid token is let in whatever others at that address do: only failures are slowed down.
  if (int wait = failures_.take(request.remote_address, now)) {
    if (unusual_reports_.take(request.remote_address, now) == 0)
      log_warning("auth.unusual",
                  {{"address", request.remote_address}, {"reason", "more than 60 rejections a minute"}});
    limited_.add();
    throw Error(ErrorKind::rate_limited, "Too many requests without valid credentials; try again later.", {},
                wait);
  }
  log_warning("auth.rejected", {{"address", request.remote_address}, {"reason", why}});
  throw Error(ErrorKind::unauthorized,
              why == "no token" ? "A bearer token is required." : "The credentials are not valid.");
}

}  // namespace segments
