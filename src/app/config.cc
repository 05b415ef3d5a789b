#include "app/config.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "app/env_file.h"
#include "base/text.h"
#include "describe/query.h"
#include "redis/url.h"
#include "social/simulator.h"

namespace segments {
namespace {

// Names that deployments set already, without our prefix.
const std::set<std::string, std::less<>> names_without_prefix{
    "host",           "port",           "redis_url",  "redis_host",      "redis_port",         "redis_db",
    "redis_username", "redis_password", "aws_region", "aws_bucket_name", "dynamodb_table_name"};
constexpr std::string_view prefix = "SEGMENTS_";
// Set where the environment holds every setting: what is empty there is meant, and a .env has no say.
constexpr const char* exported_mark = "SEGMENTS_ALL_EXPORTED";

std::string quoted(std::string_view member, const std::string& text) {
  return member == "auth_secret" || member == "redis_url" || member == "redis_password"
             ? "the value"
             : "\"" + text.substr(0, 100) + "\"";
}

struct Given {
  std::string text;
  const char* where;
};

template <class T>
void read_setting(T& out, std::string_view member, const Given& given, Faults& faults) {
  Rule rule = rule_of(Describes<Config>{}, member);
  Faults of_value;
  T value{};
  detail::decode_parameter(value, given.text, rule, std::string(member), of_value);
  if (of_value.empty()) {
    out = std::move(value);
    return;
  }
  std::string key = key_of(member);
  faults.push_back({key, of_value.front().code,
                    key + " (" + given.where + "): " + quoted(member, given.text) +
                        " is not taken; allowed: " + allowed_values(member) + "."});
}

// Misspelt settings would be silently without effect.
void find_unknown(const std::map<std::string, std::string>& from, const char* where, Faults& faults) {
  std::set<std::string> known;
  for_each_member<Config>([&](const char* name, auto) { known.insert(key_of(name)); });
  for (const auto& [key, value] : from)
    if (key.starts_with(prefix) && !known.contains(key))
      faults.push_back({key, "unknown", key.substr(0, 100) + " (" + where + "): there is no such setting."});
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace

std::string key_of(std::string_view member) {
  std::string key(names_without_prefix.contains(member) ? "" : prefix);
  for (char c : member) key += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return key;
}

std::string flag_of(std::string_view member) {
  std::string flag = "--";
  for (char c : member) flag += c == '_' ? '-' : c;
  return flag;
}

const char* fault_of_public_url(std::string_view text) {
  for (std::string_view scheme : {"http://", "https://"})
    if (text.starts_with(scheme) && text.size() > scheme.size() &&
        text.find_first_of("?# ", scheme.size()) == std::string_view::npos && !text.ends_with('/'))
      return nullptr;
  return "an http:// or https:// address without a slash at its end, as https://clips.example.org";
}

const char* fault_of_cors_origins(std::string_view text) {
  constexpr const char* allowed = "* or origins as https://app.example.org, comma-separated";
  if (trim(text) == "*") return nullptr;
  for (const auto& part : split(text, ',')) {
    std::string_view origin = trim(part);
    auto scheme = origin.find("://");
    bool is_origin = (origin.starts_with("http://") || origin.starts_with("https://")) &&
                     origin.size() > scheme + 3 &&
                     origin.find_first_of("/ ?#*", scheme + 3) == std::string_view::npos;
    if (!is_origin) return allowed;
  }
  return nullptr;
}

const char* fault_of_simulator_faults(std::string_view text) {
  try {
    parse_simulator_faults(text);
    return nullptr;
  } catch (const Error&) {
    return "name=number, comma-separated, of rate_limit, unavailable, not_found and forbidden (shares that "
           "add up to 1 "
           "at most) and latency_ms (0 to 60000)";
  }
}

const char* fault_of_redis_url(std::string_view text) {
  try {
    redis::parse_url(text);
    return nullptr;
  } catch (const Error&) {
    return "redis://[user:password@]host[:port][/db], rediss:// for TLS, or unix:///path";
  }
}

namespace {

bool is_whole_number(std::string_view text, std::int64_t least, std::int64_t most) {
  auto number = parse_integer(text);
  return number && *number >= least && *number <= most;
}

}  // namespace

const char* fault_of_redis_port(std::string_view text) {
  // Kubernetes sets it so by itself where a service is named redis, and means no setting.
  if (text.starts_with("tcp://")) return nullptr;
  return is_whole_number(text, 1, 65'535) ? nullptr : "a whole number from 1 to 65535";
}

const char* fault_of_redis_db(std::string_view text) {
  return is_whole_number(text, 0, 99'999) ? nullptr : "a whole number from 0 to 99999";
}

redis::Url redis_url_of(const Config& config) {
  auto url = redis::parse_url(config.redis_url);
  if (!config.redis_host.empty()) {
    url.host = config.redis_host;
    url.socket_path.clear();
  }
  if (auto port = parse_integer(config.redis_port)) url.port = static_cast<int>(*port);
  if (auto db = parse_integer(config.redis_db)) url.db = static_cast<int>(*db);
  if (!config.redis_username.empty()) url.user = config.redis_username;
  if (!config.redis_password.empty()) url.password = config.redis_password;
  return url;
}

const char* fault_of_celery_queue(std::string_view text) {
  bool is_plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == ':';
  });
  return is_plain && !text.empty() ? nullptr : "letters, digits, and _ - . :";
}

namespace {

// Settings that are right alone and wrong together.
void check_engines(const Config& config, Faults& faults) {
  auto add = [&](std::string_view member, const std::string& detail) {
    std::string key = key_of(member);
    faults.push_back({key, "range", key + ": " + detail});
  };
  if (config.store == StoreEngine::dynamodb && config.queue != QueueEngine::redis)
    add("queue",
        "the store \"dynamodb\" is for many processes, which share events and tasks by the queue \"redis\".");
  if (config.store == StoreEngine::dynamodb && config.auth == AuthMode::token && config.auth_secret.empty())
    add("auth_secret", "with the store \"dynamodb\" it must be set, to the same for all processes.");
  if (config.objects == ObjectsEngine::s3 && config.aws_bucket_name.empty())
    add("aws_bucket_name", "the objects \"s3\" need the name of their bucket.");
}

}  // namespace

Config read_config(const ConfigSources& sources) {
  Faults faults;
  auto file = parse_env_file(sources.env_file, faults);
  find_unknown(sources.flags, "flag", faults);
  find_unknown(sources.environment, "environment", faults);
  find_unknown(file, ".env", faults);
  const std::pair<const std::map<std::string, std::string>&, const char*> by_rank[] = {
      {sources.flags, "flag"}, {sources.environment, "environment"}, {file, ".env"}};
  Config config;
  for_each_member<Config>([&](const char* name, auto member) {
    for (const auto& [from, where] : by_rank) {
      auto found = from.find(key_of(name));
      // An empty value is no value: `PORT= segments serve` does not hide what a lower rank says.
      if (found == from.end() || found->second.empty()) continue;
      read_setting(config.*member, name, {found->second, where}, faults);
      return;
    }
  });
  if (faults.empty()) check_engines(config, faults);
  if (!faults.empty()) throw invalid_input(std::move(faults));
  return config;
}

void check_may_serve(const Config& config) {
  if (config.auth != AuthMode::none || config.auth_none_anywhere || is_loopback(config.host)) return;
  throw invalid_input(
      {{"SEGMENTS_AUTH", "range",
        "SEGMENTS_AUTH: \"none\" trusts every caller, so it is taken on a loopback address only, not on " +
            config.host + "; set SEGMENTS_AUTH_NONE_ANYWHERE=yes where something else guards it."}});
}

ConfigSources read_sources() {
  ConfigSources sources;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text(*entry);
    auto equals = text.find('=');
    if (equals != std::string_view::npos)
      sources.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  if (sources.environment.erase(exported_mark)) return sources;
  std::ifstream file(".env", std::ios::binary);
  sources.env_file.assign(std::istreambuf_iterator<char>(file), {});
  return sources;
}

std::optional<std::string> find_environment(std::string_view name) {
  const char* value = getenv(std::string(name).c_str());
  if (!value) return std::nullopt;
  return value;
}

void export_aws_variables(const ConfigSources& sources) {
  Faults ignored;  // read_config() tells them
  for (const auto& [key, value] : parse_env_file(sources.env_file, ignored))
    if (key.starts_with("AWS_")) setenv(key.c_str(), value.c_str(), 0);
}

void export_config(const Config& config) {
  for_each_member<Config>([&](const char* name, auto member) {
    setenv(key_of(name).c_str(), setting_text(config.*member).c_str(), 1);
  });
  setenv(exported_mark, "1", 1);
}

}  // namespace segments
