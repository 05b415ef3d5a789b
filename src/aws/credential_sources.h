// The places where AWS's access keys are found. Each says std::nullopt where it is not set up, and throws
// where it is but cannot give any: Error{unavailable} for what may pass, Error{invalid} for what is set up
// wrongly.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "aws/environment.h"
#include "aws/http_client.h"
#include "aws/sigv4.h"
#include "base/time.h"

namespace segments::aws {

struct Credentials {
  Keys keys;
  std::optional<Millis> expires_at;  // since 1970; none: they do not expire
  std::string source;                // where they are from, for people
};

struct CredentialContext {
  Environment environment;
  std::function<Millis()> clock = now_ms;  // since 1970
  std::function<void(Millis)> sleep = {};  // between two tries; empty: sleeps
  std::shared_ptr<HttpClient> http = std::make_shared<HttpClient>();
};

struct CredentialSource {
  const char* name;
  std::optional<Credentials> (*find)(const CredentialContext&);
};

// In the order in which they are asked.
std::span<const CredentialSource> credential_sources();

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION.
std::optional<Credentials> find_environment_credentials(const CredentialContext&);
// AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, or the same in the profile: a token in a file, read anew
// every time, against keys from STS (AWS_ENDPOINT_URL_STS, or the region's).
std::optional<Credentials> find_web_identity_credentials(const CredentialContext&);
// Static keys of the profile. One that asks for keys in another way (role_arn, sso_…, login_session,
// credential_process) is an error that names it, not a reason to look elsewhere.
std::optional<Credentials> find_profile_credentials(const CredentialContext&);
// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN[_FILE]. By
// http:// only to this machine and the agents' own addresses.
std::optional<Credentials> find_container_credentials(const CredentialContext&);
// EC2's metadata service, version 2 alone; not where AWS_EC2_METADATA_DISABLED is true. Within a second.
std::optional<Credentials> find_instance_credentials(const CredentialContext&);

// What STS answers to AssumeRoleWithWebIdentity; std::nullopt where it is not that.
std::optional<Credentials> parse_sts_credentials(std::string_view xml);
// {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}; std::nullopt where it is not that.
std::optional<Credentials> parse_json_credentials(std::string_view json);

// For the sources: one request with its own end. Throws Error{unavailable} where there is no answer;
// `not_there`, where it is given, is set instead if nobody could be reached.
HttpResponse fetch(const CredentialContext&, const Origin&, const HttpRequest&, int timeout_ms,
                   bool* not_there = nullptr);
void pause(const CredentialContext&, Millis);
// The text of a token's file, without blanks around it. Throws Error{unavailable} where it cannot be read, is
// empty or holds a control character.
std::string read_token_file(const std::string& path, const char* variable);

}  // namespace segments::aws
