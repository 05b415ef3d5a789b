#include "aws/credential_sources.h"
#include "aws/profile.h"
#include "base/error.h"

namespace segments::aws {

namespace {

struct Unsupported {
  const char* key;
  const char* kind;
};

// These decide before static keys do, as in botocore.
constexpr Unsupported before_keys[] = {
    {"role_arn", "by assuming a role"}, {"sso_session", "by SSO"},   {"sso_start_url", "by SSO"},
    {"sso_account_id", "by SSO"},       {"sso_role_name", "by SSO"},
};
// And these before those of the config file.
constexpr Unsupported before_config[] = {
    {"login_session", "by a console login"},
    {"credential_process", "from a program"},
};

void refuse(const Profile& profile, std::span<const Unsupported> kinds) {
  for (const auto& [key, kind] : kinds)
    if (profile.find(key))
      throw Error(ErrorKind::invalid, "The AWS profile \"" + profile.name + "\" gets its credentials " +
                                          kind + " (" + key + "), which is not supported.");
}

std::optional<Credentials> keys_in(const Profile& profile, const char* file,
                                   const std::map<std::string, std::string>& settings) {
  auto setting = [&](const char* key) {
    auto at = settings.find(key);
    return at == settings.end() ? std::string() : at->second;
  };
  Keys keys{setting("aws_access_key_id"), setting("aws_secret_access_key"), setting("aws_session_token")};
  if (keys.access_key_id.empty() && keys.secret_access_key.empty()) return std::nullopt;
  if (keys.access_key_id.empty() || keys.secret_access_key.empty())
    throw Error(ErrorKind::invalid,
                "The AWS profile \"" + profile.name + "\" in the " + file + " file lacks " +
                    (keys.access_key_id.empty() ? "aws_access_key_id." : "aws_secret_access_key."));
  return Credentials{std::move(keys), std::nullopt, "the profile \"" + profile.name + "\""};
}

}  // namespace

std::optional<Credentials> find_profile_credentials(const CredentialContext& context) {
  auto profile = find_profile(context.environment);
  if (!profile) return std::nullopt;
  refuse(*profile, before_keys);
  if (auto found = keys_in(*profile, "credentials", profile->credentials)) return found;
  refuse(*profile, before_config);
  return keys_in(*profile, "config", profile->config);
}

}  // namespace segments::aws
