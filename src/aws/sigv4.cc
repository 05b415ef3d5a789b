#include "aws/sigv4.h"

#include <algorithm>
#include <cassert>

#include "base/crypto.h"
#include "base/text.h"

namespace segments::aws {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

// "20150830T123600Z"
std::string basic_time(Millis time) {
  const auto text = format_time(time);
  std::string out;
  out.reserve(16);
  for (char c : std::string_view(text).substr(0, 19))
    if (c != '-' && c != ':') out += c;
  return out += 'Z';
}

std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool is_folder = true;
  while (!path.empty()) {
    path.remove_prefix(1);  // its slash
    auto segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    is_folder = segment.empty() || segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!is_folder) kept.push_back(segment);
  }
  std::string out;
  for (auto segment : kept) out += '/' + std::string(segment);
  return is_folder ? out + '/' : out;
}

std::string canonical_path(const SigningRequest& request) {
  assert(request.path.starts_with('/'));
  return percent_encode(request.normalize_path ? without_dot_segments(request.path) : request.path, true);
}

// Sorted by their encoded bytes, as AWS has it.
std::string canonical_query(const Query& query) {
  Query encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(percent_encode(name), percent_encode(value));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) out += (out.empty() ? "" : "&") + name + '=' + value;
  return out;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Without blanks at the ends; a run of them within is one space.
void add_canonical_value(std::string& out, std::string_view value) {
  bool has_begun = false, pending = false;
  for (char c : value) {
    if (is_blank(c)) {
      pending = has_begun;
      continue;
    }
    if (pending) out += ' ';
    pending = false;
    has_begun = true;
    out += c;
  }
}

// As they are signed. Requests are signed again and again: each text is written once, where it is needed.
struct CanonicalHeaders {
  std::string lines, names;
};

// By name; values of one name in the order in which they are sent.
CanonicalHeaders canonical_headers(const Headers& headers) {
  std::vector<std::pair<std::string, std::string_view>> sorted;
  sorted.reserve(headers.size());
  for (const auto& [name, value] : headers) sorted.emplace_back(lower_ascii(name), value);
  std::ranges::stable_sort(sorted, {}, [](const auto& header) -> const std::string& { return header.first; });
  CanonicalHeaders out;
  out.lines.reserve(512);
  out.names.reserve(128);
  const std::string* last = nullptr;
  for (const auto& [name, value] : sorted) {
    if (last && *last == name) {
      out.lines.back() = ',';  // instead of its line's end
    } else {
      if (last) out.names += ';';
      out.names += name;
      out.lines.append(name) += ':';
    }
    add_canonical_value(out.lines, value);
    out.lines += '\n';
    last = &name;
  }
  return out;
}

std::string scope_text(std::string_view time, const Scope& scope) {
  std::string out;
  out.reserve(64);
  out.append(time.substr(0, 8)).append(1, '/').append(scope.region).append(1, '/');
  return out.append(scope.service).append("/aws4_request");
}

std::string derive_key(const std::string& secret, std::string_view day, const Scope& scope) {
  auto key = hmac_sha256("AWS4" + secret, day);
  for (auto part : {scope.region, scope.service, std::string_view("aws4_request")})
    key = hmac_sha256(key, part);
  return key;
}

// What is signed of a request besides the request itself.
struct Signing {
  const Keys& keys;
  const Scope& scope;
  std::string time = basic_time(scope.time), scope_text = aws::scope_text(time, scope);
};

void sign(Signature& out, const SigningRequest& request, std::string_view path, std::string_view query,
          const CanonicalHeaders& headers, const Signing& signing, SigningKeys* known) {
  auto& text = out.canonical_request;
  text.reserve(1'024);
  text.append(request.method).append(1, '\n').append(path).append(1, '\n').append(query).append(1, '\n');
  text.append(headers.lines).append(1, '\n').append(headers.names).append(1, '\n');
  text.append(request.payload_hash);
  auto& to_sign = out.string_to_sign;
  to_sign.reserve(256);
  to_sign.append(algorithm).append(1, '\n').append(signing.time).append(1, '\n');
  to_sign.append(signing.scope_text).append(1, '\n').append(hex_sha256(text));
  auto derive = [&] {
    return derive_key(signing.keys.secret_access_key, std::string_view(signing.time).substr(0, 8),
                      signing.scope);
  };
  auto key = known ? known->find(signing.keys.secret_access_key, signing.scope_text, derive) : derive();
  out.value = encode_hex(hmac_sha256(key, to_sign));
}

}  // namespace

std::string hex_sha256(std::string_view bytes) {
  return encode_hex(sha256(bytes));
}

std::string SigningKeys::find(const std::string& secret, const std::string& scope,
                              const std::function<std::string()>& derive) {
  std::lock_guard lock(mutex_);
  if (secret_ != secret || scope_ != scope) {
    key_ = derive();
    secret_ = secret;
    scope_ = scope;
  }
  return key_;
}

Signature sign_headers(const SigningRequest& request, const Keys& keys, const Scope& scope,
                       SigningKeys* known) {
  Signature out;
  const Signing signing{keys, scope};
  auto path = canonical_path(request), query = canonical_query(request.query);
  auto all = request.headers;
  all.emplace_back("x-amz-date", signing.time);
  out.added.reserve(3);
  out.added.emplace_back("x-amz-date", signing.time);
  if (!keys.session_token.empty()) {
    if (!request.omit_session_token) all.emplace_back("x-amz-security-token", keys.session_token);
    out.added.emplace_back("x-amz-security-token", keys.session_token);
  }
  auto headers = canonical_headers(all);
  sign(out, request, path, query, headers, signing, known);
  out.target = query.empty() ? path : path + '?' + query;
  std::string value;
  value.reserve(256);
  value.append(algorithm).append(" Credential=").append(keys.access_key_id).append(1, '/');
  value.append(signing.scope_text).append(", SignedHeaders=").append(headers.names);
  value.append(", Signature=").append(out.value);
  out.added.emplace_back("authorization", std::move(value));
  return out;
}

Signature sign_query(const SigningRequest& request, const Keys& keys, const Scope& scope, int expires_s,
                     SigningKeys* known) {
  assert(expires_s >= 1 && expires_s <= 604'800);
  Signature out;
  const Signing signing{keys, scope};
  auto headers = canonical_headers(request.headers);
  auto query = request.query;
  query.emplace_back("X-Amz-Algorithm", algorithm);
  query.emplace_back("X-Amz-Credential", keys.access_key_id + '/' + signing.scope_text);
  query.emplace_back("X-Amz-Date", signing.time);
  query.emplace_back("X-Amz-Expires", std::to_string(expires_s));
  query.emplace_back("X-Amz-SignedHeaders", headers.names);
  bool has_token = !keys.session_token.empty();
  if (has_token && !request.omit_session_token)
    query.emplace_back("X-Amz-Security-Token", keys.session_token);
  auto path = canonical_path(request), signed_query = canonical_query(query);
  sign(out, request, path, signed_query, headers, signing, known);
  out.target = path + '?' + signed_query;
  if (has_token && request.omit_session_token)
    out.target += "&X-Amz-Security-Token=" + percent_encode(keys.session_token);
  out.target += "&X-Amz-Signature=" + out.value;
  return out;
}

}  // namespace segments::aws
