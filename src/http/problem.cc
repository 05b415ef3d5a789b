#include "http/problem.h"

#include <algorithm>

#include "describe/encode.h"
#include "http/router.h"

namespace segments {

namespace http {

Response problem(int status, std::string_view detail, const Request& request,
                 const std::vector<Fault>& faults) {
  std::string body = R"({"type":"about:blank","title":)";
  encode_string(body, reason_phrase(status));
  body += ",\"status\":" + std::to_string(status) + ",\"detail\":";
  encode_string(body, detail);
  body += ",\"instance\":";
  encode_string(body, request.path);
  body += ",\"request_id\":";
  encode_string(body, request.request_id);
  if (!faults.empty()) {
    body += ",\"errors\":[";
    for (const auto& fault : faults) {
      if (&fault != &faults.front()) body += ',';
      body += "{\"pointer\":";
      encode_string(body, fault.pointer);
      body += ",\"code\":";
      encode_string(body, fault.code);
      body += ",\"detail\":";
      encode_string(body, fault.detail);
      body += '}';
    }
    body += ']';
  }
  body += '}';
  Response response;
  response.status = status;
  response.set("Content-Type", "application/problem+json");
  response.set("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

}  // namespace http

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::malformed:
      return 400;
    case ErrorKind::unauthorized:
      return 401;
    case ErrorKind::forbidden:
      return 403;
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::conflict:
      return 409;
    case ErrorKind::precondition_failed:
      return 412;
    case ErrorKind::too_large:
      return 413;
    case ErrorKind::unsupported_media:
      return 415;
    case ErrorKind::invalid:
      return 422;
    case ErrorKind::rate_limited:
      return 429;
    case ErrorKind::unavailable:
      return 503;
    case ErrorKind::internal:
      return 500;
  }
  return 500;
}

Response problem_response(const Error& error, const Request& request) {
  int status = status_of(error.kind());
  if (status == 500)
    return http::problem(500, "The server failed. Its log tells more under this request's id.", request);
  Response response = http::problem(status, error.what(), request, error.faults());
  if (status == 401) response.set("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503 || error.retry_after_s() > 0)
    response.set("Retry-After", std::to_string(std::max(1, error.retry_after_s())));
  return response;
}

}  // namespace segments
