#include "http/target.h"

#include "base/error.h"
#include "base/text.h"

namespace segments::http {

namespace {

// "http://host/path?query" (the form that proxies are sent) becomes "/path?query".
std::string_view without_authority(std::string_view target) {
  auto scheme = target.find("://");
  auto slash = target.find('/', scheme + 3);
  auto query = target.find('?', scheme + 3);
  if (query < slash) return target.substr(query);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

void parse_query(std::string_view text, Request& request) {
  while (!text.empty()) {
    auto end = std::min(text.find('&'), text.size());
    auto pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    auto equals = std::min(pair.find('='), pair.size());
    auto value = pair.substr(std::min(equals + 1, pair.size()));
    request.query.emplace_back(decode_component(pair.substr(0, equals), true), decode_component(value, true));
  }
}

}  // namespace

std::string decode_component(std::string_view text, bool plus_is_space) {
  auto decoded = percent_decode(text, plus_is_space);
  if (!decoded || !is_utf8(*decoded) || decoded->find('\0') != std::string::npos)
    throw Error(ErrorKind::malformed, "The request target is not percent-encoded UTF-8 without %00.");
  return *std::move(decoded);
}

bool is_plain_component(std::string_view text) {
  return text.find('%') == text.npos && text.find('\0') == text.npos && is_utf8(text);
}

void parse_target(Request& request) {
  request.path.clear();
  request.query.clear();
  std::string_view target = request.target;
  if (target.starts_with("http://") || target.starts_with("https://")) target = without_authority(target);
  auto mark = std::min(target.find('?'), target.size());
  auto path = target.substr(0, mark);
  if (path.empty()) path = "/";
  if (path.front() != '/' && path != "*")
    throw Error(ErrorKind::malformed, "The request target is not a path.");
  // The client in use joins "http://host:port/" and "/api/...".
  while (path.starts_with("//")) path.remove_prefix(1);
  request.path = path;
  if (mark < target.size()) parse_query(target.substr(mark + 1), request);
}

}  // namespace segments::http
