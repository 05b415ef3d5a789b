#include "api/cors.h"

#include "base/text.h"

namespace segments {

namespace {

constexpr std::string_view exposed_headers =
    "Access-Control-Expose-Headers: ETag, Location, X-Request-Id, Link, Retry-After, X-Task-Id, "
    "Content-Range, "
    "Accept-Ranges, Content-Disposition, Idempotent-Replayed, RateLimit\r\n";

bool is_allowed(std::string_view origin, std::string_view allowed) {
  for (const auto& part : split(allowed, ','))
    if (trim(part) == origin || trim(part) == "*") return true;
  return false;
}

void add_cors(const Request& request, Response& response, const ServiceSettings& settings) {
  bool any = trim(settings.cors_origins) == "*";
  std::string_view origin = request.header("origin");
  if (!any) response.set("Vary", "Origin");
  if (!any && (origin.empty() || !is_allowed(origin, settings.cors_origins))) return;
  if (any)
    response.headers.add_lines("Access-Control-Allow-Origin: *\r\n");
  else
    response.set("Access-Control-Allow-Origin", origin);
  response.headers.add_lines(exposed_headers);
  if (request.method != "OPTIONS") return;
  response.set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  response.set("Access-Control-Allow-Headers",
               "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Range, "
               "X-Request-Id");
  response.set("Access-Control-Max-Age", "7200");
}

}  // namespace

void decorate(const Request& request, Response& response, const ServiceSettings& settings) {
  add_cors(request, response, settings);
  response.headers.add_lines("X-Content-Type-Options: nosniff\r\n");
  if (response.status == 401) {
    // RFC 6750, section 3: the error is named where credentials were sent.
    response.set("WWW-Authenticate", request.header("authorization").empty()
                                         ? "Bearer realm=\"segments\""
                                         : "Bearer realm=\"segments\", error=\"invalid_token\"");
  } else if (response.status == 429) {
    std::string wait(response.headers.find("Retry-After"));
    if (!wait.empty()) response.set("RateLimit", "\"default\";r=0;t=" + wait);
  }
}

}  // namespace segments
