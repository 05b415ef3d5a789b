#include "aws/origin.h"

#include "base/error.h"
#include "base/text.h"

namespace segments::aws {

namespace {

Error bad_origin(std::string_view variable, const char* what) {
  return Error(ErrorKind::invalid, std::string(variable) + " " + what + ".");
}

}  // namespace

std::string Origin::authority() const {
  auto out = host.find(':') == std::string::npos ? host : '[' + host + ']';
  return port == (tls ? 443 : 80) ? out : out + ':' + std::to_string(port);
}

std::string Origin::url() const {
  return (tls ? "https://" : "http://") + authority();
}

Origin parse_origin(std::string_view url, std::string_view name, std::string_view variable) {
  Origin out;
  out.name = name;
  auto scheme = lower_ascii(url.substr(0, url.find("://")));
  if (scheme != "http" && scheme != "https") throw bad_origin(variable, "is no URL of http:// or https://");
  out.tls = scheme == "https";
  out.port = out.tls ? 443 : 80;
  auto authority = url.substr(scheme.size() + 3);
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.find_first_of("/?#@\\ ") != authority.npos || has_control(authority))
    throw bad_origin(variable, "has more than scheme, host and port");
  auto port = authority.substr(authority.size());
  if (authority.starts_with('[')) {
    auto end = authority.find(']');
    if (end == authority.npos) throw bad_origin(variable, "has a [ without its ]");
    port = authority.substr(end + 1);
    authority = authority.substr(1, end - 1);
    if (!port.empty() && !port.starts_with(':')) throw bad_origin(variable, "has text after its ]");
  } else if (auto colon = authority.find(':'); colon != authority.npos) {
    port = authority.substr(colon);
    authority = authority.substr(0, colon);
  }
  if (authority.empty()) throw bad_origin(variable, "has no host");
  out.host = lower_ascii(authority);
  if (port.size() > 1) {
    auto number = parse_integer(port.substr(1));
    if (!number || *number < 1 || *number > 65'535) throw bad_origin(variable, "has no port from 1 to 65535");
    out.port = static_cast<int>(*number);
  }
  return out;
}

}  // namespace segments::aws
