#include "redis/url.h"

#include <limits>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace segments::redis {

namespace {

constexpr std::size_t most_path_bytes = 107;  // sockaddr_un

// Sentences name the part at fault and never show it: with a misplaced @ or / any part may be the password.
Error bad_url(const std::string& what) {
  return Error(ErrorKind::invalid, "The Redis URL " + what + ".");
}

std::string decode_part(std::string_view part, const char* what) {
  auto decoded = percent_decode(part);
  if (!decoded) throw bad_url(std::string("has a broken percent escape in ") + what);
  return *decoded;
}

int number_in(std::string_view text, int least, int most, const char* what) {
  auto number = parse_integer(text);
  if (!number || *number < least || *number > most)
    throw bad_url(std::string("has ") + what + " that is not a number from " + std::to_string(least) +
                  " to " + std::to_string(most));
  return static_cast<int>(*number);
}

int db_in(std::string_view text) {
  return number_in(text, 0, std::numeric_limits<int>::max(), "a database");
}

// Cuts `text` before the first separator; what follows it is returned, where there is one.
std::optional<std::string_view> cut_after(std::string_view& text, char separator) {
  auto at = text.find(separator);
  if (at == text.npos) return std::nullopt;
  auto rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

void take_scheme(std::string_view& text, Url& url, bool& is_socket) {
  auto at = text.find("://");
  if (at == text.npos) throw bad_url("does not begin with redis://, rediss://, redis+socket:// or unix://");
  auto scheme = lower_ascii(text.substr(0, at));
  url.tls = scheme == "rediss";
  is_socket = scheme == "redis+socket" || scheme == "unix" || scheme == "socket";
  if (!url.tls && !is_socket && scheme != "redis")
    throw bad_url("does not begin with redis://, rediss://, redis+socket:// or unix://");
  text.remove_prefix(at + 3);
}

void take_user(std::string_view& authority, Url& url) {
  // The last @, as Python has it: passwords are seldom escaped as they should be.
  auto at = authority.rfind('@');
  if (at == authority.npos) return;
  auto user = authority.substr(0, at);
  authority.remove_prefix(at + 1);
  auto password = cut_after(user, ':');
  url.user = decode_part(user, "the user");
  if (password) url.password = decode_part(*password, "the password");
}

void take_host(std::string_view authority, Url& url) {
  std::string_view host = authority;
  std::optional<std::string_view> port;
  if (authority.starts_with('[')) {
    auto end = authority.find(']');
    if (end == authority.npos) throw bad_url("has a [ without its ]");
    host = authority.substr(1, end - 1);
    auto rest = authority.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') throw bad_url("has text between the host and the port");
    if (!rest.empty()) port = rest.substr(1);
  } else {
    port = cut_after(host, ':');
  }
  auto decoded = decode_part(host, "the host");
  if (has_control(decoded) || decoded.find_first_of(" /@[]") != decoded.npos)
    throw bad_url("has a host with characters that no host has");
  if (!decoded.empty()) url.host = decoded;
  if (port && !port->empty()) url.port = number_in(*port, 1, 65535, "a port");
}

void take_socket_path(std::string_view path, Url& url) {
  url.socket_path = decode_part(path, "the path");
  if (!url.socket_path.starts_with('/') || url.socket_path.find('\0') != std::string::npos)
    throw bad_url("has no absolute path of a socket file");
  if (url.socket_path.size() > most_path_bytes)
    throw bad_url("has a path of a socket file that is longer than " + std::to_string(most_path_bytes) +
                  " bytes");
}

void take_option(std::string_view key, std::string_view value, Url& url) {
  auto text = decode_part(value, "an option");
  if (key == "db" || key == "virtual_host") {
    auto number = std::string_view(text);
    if (key == "virtual_host" && number.starts_with('/')) number.remove_prefix(1);
    if (!number.empty() || key == "db") url.db = db_in(number);
  } else if (key == "ssl_cert_reqs") {
    auto how = lower_ascii(text);
    if (how.starts_with("cert_")) how.erase(0, 5);
    // A client that "optionally" verifies would accept anybody: it verifies.
    if (how != "none" && how != "optional" && how != "required")
      throw bad_url("has an ssl_cert_reqs other than none, optional and required");
    url.verify = how != "none";
  } else if (key == "ssl_ca_certs") {
    url.ca_file = text;
  } else if (key == "ssl_certfile") {
    url.cert_file = text;
  } else if (key == "ssl_keyfile") {
    url.key_file = text;
  }
}

// An IPv6 address stands in brackets.
std::string shown_host(std::string_view host) {
  if (host.find(':') == host.npos) return percent_encode(host);
  std::string out = "[";
  for (const auto& part : split(host, ':')) out += percent_encode(part) + ":";
  out.back() = ']';
  return out;
}

}  // namespace

Url parse_url(std::string_view text) {
  Url url;
  bool is_socket = false;
  take_scheme(text, url, is_socket);
  cut_after(text, '#');
  auto query = cut_after(text, '?');
  auto slash = text.find('/');
  auto authority = text.substr(0, slash);
  auto path = slash == text.npos ? std::string_view() : text.substr(slash);
  take_user(authority, url);
  if (is_socket) {
    if (!authority.empty()) throw bad_url("has no absolute path of a socket file");
    take_socket_path(path, url);
  } else {
    take_host(authority, url);
    if (path.size() > 1) url.db = db_in(path.substr(1));
  }
  if (!query) return url;
  for (const auto& option : split(*query, '&')) {
    std::string_view key = option;
    auto value = cut_after(key, '=');
    if (value) take_option(key, *value, url);
  }
  return url;
}

std::string Url::shown() const {
  std::string out = !socket_path.empty() ? "redis+socket://" : tls ? "rediss://" : "redis://";
  if (!user.empty()) out += percent_encode(user) + "@";
  if (!socket_path.empty()) {
    out += percent_encode(socket_path, true);
    if (db != 0) out += "?virtual_host=" + std::to_string(db);
    return out;
  }
  return out + shown_host(host) + ":" + std::to_string(port) + "/" + std::to_string(db);
}

}  // namespace segments::redis
