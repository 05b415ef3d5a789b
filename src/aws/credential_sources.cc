#include "aws/credential_sources.h"

#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "aws/xml.h"
#include "base/error.h"
#include "base/text.h"
#include "describe/decode.h"
#include "net/patience.h"

namespace segments::aws {

namespace {

constexpr std::array sources = {
    CredentialSource{"environment", find_environment_credentials},
    CredentialSource{"web identity", find_web_identity_credentials},
    CredentialSource{"shared files", find_profile_credentials},
    CredentialSource{"container", find_container_credentials},
    CredentialSource{"instance", find_instance_credentials},
};

constexpr std::streamsize most_token_bytes = 64 << 10;

std::optional<Credentials> credentials_of(Keys keys, std::string_view expiration) {
  auto expires_at = parse_time(expiration);
  bool has_control_character = false;
  for (const auto& part : {keys.access_key_id, keys.secret_access_key, keys.session_token})
    has_control_character = has_control_character || has_control(part);
  // Without its end a set would be used for ever.
  if (!expires_at || keys.access_key_id.empty() || keys.secret_access_key.empty() || has_control_character)
    return std::nullopt;
  return Credentials{std::move(keys), expires_at, ""};
}

}  // namespace

std::span<const CredentialSource> credential_sources() {
  return sources;
}

std::optional<Credentials> parse_sts_credentials(std::string_view text) {
  auto document = parse_xml(text);
  if (!document) return std::nullopt;
  const auto* result = document->find("AssumeRoleWithWebIdentityResult");
  const auto* found = result ? result->find("Credentials") : nullptr;
  if (!found) return std::nullopt;
  auto text_of = [&](const char* name) { return std::string(trim(found->text_of(name))); };
  return credentials_of({text_of("AccessKeyId"), text_of("SecretAccessKey"), text_of("SessionToken")},
                        text_of("Expiration"));
}

std::optional<Credentials> parse_json_credentials(std::string_view text) {
  try {
    auto json = parse_json(text);
    const auto* object = json.if_object();
    if (!object) return std::nullopt;
    auto text_of = [&](const char* name) {
      const auto* member = object->if_contains(name);
      const auto* value = member ? member->if_string() : nullptr;
      return value ? std::string(*value) : std::string();
    };
    return credentials_of({text_of("AccessKeyId"), text_of("SecretAccessKey"), text_of("Token")},
                          text_of("Expiration"));
  } catch (const Error&) {
    return std::nullopt;  // what it says would show the text
  }
}

HttpResponse fetch(const CredentialContext& context, const Origin& origin, const HttpRequest& request,
                   int timeout_ms, bool* not_there) {
  auto outcome = context.http->send(origin, request, steady_ms() + timeout_ms);
  if (outcome.kind == HttpOutcome::Kind::answered) return std::move(outcome.response);
  if (!not_there || outcome.kind != HttpOutcome::Kind::not_sent)
    throw Error(ErrorKind::unavailable, outcome.failure, {}, 1);
  *not_there = true;
  return {};
}

void pause(const CredentialContext& context, Millis ms) {
  if (context.sleep) return context.sleep(ms);
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

std::string read_token_file(const std::string& path, const char* variable) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(most_token_bytes), '\0');
  in.read(bytes.data(), most_token_bytes);
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  std::string token(trim(bytes));
  if (token.empty() || has_control(token))
    throw Error(ErrorKind::unavailable,
                std::string("The file that ") + variable + " names cannot be read, or holds no token.");
  return token;
}

}  // namespace segments::aws
