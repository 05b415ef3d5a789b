#include "aws/credential_sources.h"
#include "base/error.h"
#include "base/text.h"
#include "describe/decode.h"

namespace segments::aws {

namespace {

constexpr int metadata_timeout_ms = 1'000;
constexpr const char* roles_path = "/latest/meta-data/iam/security-credentials/";

Origin metadata_origin(const Environment& environment) {
  constexpr const char* variable = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
  auto url = find_variable(environment, variable);
  if (!url) {
    auto mode = find_variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    url = mode && lower_ascii(*mode) == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  }
  return parse_origin(*url, "The instance metadata service", variable);
}

Error no_keys(const std::string& why) {
  return Error(ErrorKind::unavailable, "The instance metadata service gave no credentials: " + why + ".");
}

// std::nullopt where there is no such service.
std::optional<std::string> find_session(const CredentialContext& context, const Origin& origin) {
  HttpRequest request;
  request.method = "PUT";
  request.target = "/latest/api/token";
  request.headers = {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}};
  bool not_there = false;
  auto response = fetch(context, origin, request, metadata_timeout_ms, &not_there);
  if (not_there) return std::nullopt;
  // Version 1 answers whoever can make this machine send a GET; it is not asked.
  if (response.status == 403 || response.status == 404 || response.status == 405)
    throw no_keys("it has no version 2 (status " + std::to_string(response.status) + ")");
  std::string token(trim(response.body));
  if (response.status != 200 || token.empty() || has_control(token))
    throw no_keys("status " + std::to_string(response.status) + " to the request for a session");
  return token;
}

std::string code_of(std::string_view body) {
  try {
    auto json = parse_json(body);
    const auto* object = json.if_object();
    const auto* code = object ? object->if_contains("Code") : nullptr;
    return code && code->is_string() ? std::string(code->as_string()) : "";
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

std::optional<Credentials> find_instance_credentials(const CredentialContext& context) {
  auto disabled = find_variable(context.environment, "AWS_EC2_METADATA_DISABLED");
  if (disabled && lower_ascii(*disabled) == "true") return std::nullopt;
  auto origin = metadata_origin(context.environment);
  auto session = find_session(context, origin);
  if (!session) return std::nullopt;
  HttpRequest request;
  request.target = roles_path;
  request.is_repeatable = true;
  request.headers = {{"x-aws-ec2-metadata-token", *session}};
  auto roles = fetch(context, origin, request, metadata_timeout_ms);
  if (roles.status == 404) return std::nullopt;  // the instance has no role
  auto role = std::string(trim(roles.body.substr(0, roles.body.find('\n'))));
  if (roles.status != 200 || role.empty())
    throw no_keys("status " + std::to_string(roles.status) + " to the request for the role");
  request.target += percent_encode(role);
  auto answer = fetch(context, origin, request, metadata_timeout_ms);
  if (answer.status != 200) throw no_keys("status " + std::to_string(answer.status));
  // Failures come with status 200, too.
  auto code = code_of(answer.body);
  auto found = parse_json_credentials(answer.body);
  if (code != "Success" || !found)
    throw no_keys(code.empty() ? "an answer that holds none" : clean_utf8(code, 100));
  found->source = "the instance's role";
  return found;
}

}  // namespace segments::aws
