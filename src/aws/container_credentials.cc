#include <arpa/inet.h>

#include "aws/credential_sources.h"
#include "base/error.h"
#include "base/text.h"

namespace segments::aws {

namespace {

constexpr int most_agent_tries = 3;
constexpr int agent_timeout_ms = 2'000;

// Keys and token go there in clear.
bool may_be_plain(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1)
    return ntohl(v4.s_addr) >> 24 == 127 || host == "169.254.170.2" || host == "169.254.170.23";
  return host == "localhost" || host == "::1" || host == "fd00:ec2::23";
}

struct Agent {
  Origin origin;
  std::string target;
};

Agent agent_at(std::string_view url) {
  auto begin = url.find("://");
  auto slash = begin == url.npos ? url.npos : url.find('/', begin + 3);
  Agent out;
  out.origin =
      parse_origin(url.substr(0, slash), "The container's agent", "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  out.target = slash == url.npos ? "/" : url.substr(slash);
  if (has_control(out.target) || out.target.find_first_of(" #") != std::string::npos)
    throw Error(ErrorKind::invalid, "AWS_CONTAINER_CREDENTIALS_FULL_URI has a path that is none.");
  if (!out.origin.tls && !may_be_plain(out.origin.host))
    throw Error(
        ErrorKind::invalid,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https:// nor an address of the container's agent.");
  return out;
}

std::optional<Agent> find_agent(const Environment& environment) {
  if (auto path = find_variable(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
    return agent_at("http://169.254.170.2" + (path->starts_with('/') ? *path : '/' + *path));
  if (auto url = find_variable(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI")) return agent_at(*url);
  return std::nullopt;
}

std::optional<std::string> find_authorization(const Environment& environment) {
  // Rotated by the agent: read every time.
  if (auto file = find_variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
    return read_token_file(*file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  auto token = find_variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (token && has_control(*token))
    throw Error(ErrorKind::invalid, "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break.");
  return token;
}

}  // namespace

std::optional<Credentials> find_container_credentials(const CredentialContext& context) {
  auto agent = find_agent(context.environment);
  if (!agent) return std::nullopt;
  HttpRequest request;
  request.target = agent->target;
  request.is_repeatable = true;
  if (auto token = find_authorization(context.environment)) request.headers = {{"authorization", *token}};
  for (int tries = 1;; ++tries) {
    std::string why;
    try {
      auto response = fetch(context, agent->origin, request, agent_timeout_ms);
      auto found = response.status == 200 ? parse_json_credentials(response.body) : std::nullopt;
      if (found) {
        found->source = "the container's agent";
        return found;
      }
      why =
          response.status == 200 ? "an answer that holds none" : "status " + std::to_string(response.status);
      if (response.status >= 400 && response.status < 500 && response.status != 429) tries = most_agent_tries;
    } catch (const Error& error) {
      why = error.what();
      why.pop_back();  // its full stop
    }
    if (tries >= most_agent_tries)
      throw Error(ErrorKind::unavailable, "The container's agent gave no credentials: " + why + ".");
    pause(context, 1'000);
  }
}

}  // namespace segments::aws
