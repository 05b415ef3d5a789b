#include "aws/credential_sources.h"
#include "aws/endpoint.h"
#include "aws/profile.h"
#include "aws/xml.h"
#include "base/error.h"
#include "base/text.h"

namespace segments::aws {

namespace {

constexpr int most_sts_tries = 3;
constexpr int sts_timeout_ms = 5'000;

struct WebIdentity {
  std::string token_file, role, session;
};

std::optional<WebIdentity> find_web_identity(const Environment& environment) {
  auto session = find_variable(environment, "AWS_ROLE_SESSION_NAME");
  if (auto file = find_variable(environment, "AWS_WEB_IDENTITY_TOKEN_FILE")) {
    auto role = find_variable(environment, "AWS_ROLE_ARN");
    if (!role)
      throw Error(ErrorKind::invalid, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not.");
    return WebIdentity{*file, *role, session.value_or("segments")};
  }
  auto profile = find_profile(environment);
  auto file = profile ? profile->find("web_identity_token_file") : std::nullopt;
  if (!file) return std::nullopt;
  auto role = profile->find("role_arn");
  if (!role)
    throw Error(ErrorKind::invalid,
                "The AWS profile \"" + profile->name + "\" has a web_identity_token_file, but no role_arn.");
  return WebIdentity{*file, *role, profile->find("role_session_name").value_or("segments")};
}

HttpRequest assume_role(const WebIdentity& identity) {
  HttpRequest out;
  out.method = "POST";
  out.is_repeatable = true;
  out.headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
  out.body = memory_body(
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + percent_encode(identity.role) +
      "&RoleSessionName=" + percent_encode(identity.session) + "&WebIdentityToken=" +
      percent_encode(read_token_file(identity.token_file, "AWS_WEB_IDENTITY_TOKEN_FILE")));
  return out;
}

// Its message is not repeated: it may quote the token.
std::string error_code_of(const HttpResponse& response) {
  auto document = parse_xml(response.body);
  const auto* error = document ? document->find("Error") : nullptr;
  auto code = error ? error->text_of("Code") : std::string();
  return code.empty() ? "status " + std::to_string(response.status) : clean_utf8(code, 100);
}

}  // namespace

std::optional<Credentials> find_web_identity_credentials(const CredentialContext& context) {
  auto identity = find_web_identity(context.environment);
  if (!identity) return std::nullopt;
  auto region = find_region(context.environment);
  if (!region && !find_variable(context.environment, "AWS_ENDPOINT_URL_STS"))
    throw Error(ErrorKind::invalid, "Web identity needs AWS_REGION.");
  auto origin = endpoint_of("sts", "STS", region.value_or("us-east-1"), context.environment).origin;
  for (int tries = 1;; ++tries) {
    auto request = assume_role(*identity);
    std::string why;
    try {
      auto response = fetch(context, origin, request, sts_timeout_ms);
      auto found = response.status == 200 ? parse_sts_credentials(response.body) : std::nullopt;
      if (found) {
        found->source = "web identity";
        return found;
      }
      why = response.status == 200 ? "an answer that holds none" : error_code_of(response);
      bool may_pass = response.status >= 500 || why == "IDPCommunicationError";
      if (!may_pass) tries = most_sts_tries;
    } catch (const Error& error) {
      why = error.what();
      why.pop_back();  // its full stop
    }
    if (tries >= most_sts_tries)
      throw Error(ErrorKind::unavailable, "STS gave no credentials for the web identity: " + why + ".");
    pause(context, 1'000);
  }
}

}  // namespace segments::aws
