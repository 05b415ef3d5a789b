#include "aws/credential_sources.h"
#include "base/error.h"

namespace segments::aws {

std::optional<Credentials> find_environment_credentials(const CredentialContext& context) {
  auto variable = [&](const char* name) { return find_variable(context.environment, name); };
  auto id = variable("AWS_ACCESS_KEY_ID");
  if (!id) return std::nullopt;
  auto secret = variable("AWS_SECRET_ACCESS_KEY");
  if (!secret) throw Error(ErrorKind::invalid, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not.");
  auto token = variable("AWS_SESSION_TOKEN");
  if (!token) token = variable("AWS_SECURITY_TOKEN");  // as old programs call it
  Credentials out{{*id, *secret, token.value_or("")}, std::nullopt, "the environment"};
  if (auto expiration = variable("AWS_CREDENTIAL_EXPIRATION")) {
    out.expires_at = parse_time(*expiration);
    if (!out.expires_at)
      throw Error(ErrorKind::invalid, "AWS_CREDENTIAL_EXPIRATION is no time as in RFC 3339.");
  }
  return out;
}

}  // namespace segments::aws
