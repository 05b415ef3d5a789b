// Who may come in: the router's admit hook. Any thread may call.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/rate_limit.h"
#include "api/token.h"
#include "base/metrics.h"
#include "http/request.h"
#include "services/services.h"

namespace segments {

// A stream's ticket: what an EventSource, which cannot send headers, puts into its address. Good for 60 s, to
// open as many streams as it takes (a browser reconnects on its own), for one user and for streams alone.
constexpr Millis ticket_lifetime = 60'000;
std::string make_ticket(std::string_view auth_secret, std::string_view user, Millis now);
std::optional<std::string> find_ticket_user(std::string_view auth_secret, std::string_view ticket,
                                            Millis now);

class Admission {
 public:
  Admission(const ServiceSettings&, Metrics&);
  // Sets the request's user, or throws Error{unauthorized}, {forbidden} where the query names another user,
  // {invalid} where it names none that can be, {rate_limited}.
  void admit(Request&, bool is_public);

 private:
  std::string user_of(const Request&, Millis now);
  [[noreturn]] void reject(const Request&, const std::string& why, Millis now);

  const ServiceSettings& settings_;
  TokenVerifier tokens_;
  RateLimit requests_;
  RateLimit failures_{60};        // by address
  RateLimit unusual_reports_{1};  // by address
  Counter& rejected_;
  Counter& limited_;
};

}  // namespace segments
