#include "aws/sigv4.h"

#include <algorithm>
#include <cassert>
#include <map>

#include "base/crypto.h"
#include "base/text.h"

namespace segments::aws {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

// "20150830T123600Z"
std::string basic_time(Millis time) {
  auto text = format_time(time);
  std::string out;
  for (char c : text.substr(0, 19))
    if (c != '-' && c != ':') out += c;
  return out + 'Z';
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
std::string canonical_value(std::string_view value) {
  std::string out;
  bool pending = false;
  for (char c : value) {
    if (is_blank(c)) {
      pending = !out.empty();
      continue;
    }
    if (pending) out += ' ';
    pending = false;
    out += c;
  }
  return out;
}

// By name; values of one name in the order in which they are sent.
std::map<std::string, std::string> canonical_headers(const Headers& headers) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : headers) {
    auto [at, is_new] = out.try_emplace(lower_ascii(name), canonical_value(value));
    if (!is_new) at->second += ',' + canonical_value(value);
  }
  return out;
}

std::string names_of(const std::map<std::string, std::string>& headers) {
  std::string out;
  for (const auto& header : headers) out += (out.empty() ? "" : ";") + header.first;
  return out;
}

std::string scope_text(const std::string& time, const Scope& scope) {
  return time.substr(0, 8) + '/' + std::string(scope.region) + '/' + std::string(scope.service) +
         "/aws4_request";
}

void sign(Signature& out, const SigningRequest& request, const std::string& path, const std::string& query,
          const std::map<std::string, std::string>& headers, const Keys& keys, const Scope& scope) {
  out.canonical_request = request.method + '\n' + path + '\n' + query + '\n';
  for (const auto& [name, value] : headers) out.canonical_request += name + ':' + value + '\n';
  out.canonical_request += '\n' + names_of(headers) + '\n' + request.payload_hash;
  auto time = basic_time(scope.time);
  out.string_to_sign = std::string(algorithm) + '\n' + time + '\n' + scope_text(time, scope) + '\n' +
                       hex_sha256(out.canonical_request);
  auto key = hmac_sha256("AWS4" + keys.secret_access_key, time.substr(0, 8));
  for (auto part : {scope.region, scope.service, std::string_view("aws4_request")})
    key = hmac_sha256(key, part);
  out.value = encode_hex(hmac_sha256(key, out.string_to_sign));
}

}  // namespace

std::string hex_sha256(std::string_view bytes) {
  return encode_hex(sha256(bytes));
}

Signature sign_headers(const SigningRequest& request, const Keys& keys, const Scope& scope) {
  Signature out;
  auto time = basic_time(scope.time);
  auto path = canonical_path(request), query = canonical_query(request.query);
  auto all = request.headers;
  all.emplace_back("x-amz-date", time);
  out.added.emplace_back("x-amz-date", time);
  if (!keys.session_token.empty()) {
    if (!request.omit_session_token) all.emplace_back("x-amz-security-token", keys.session_token);
    out.added.emplace_back("x-amz-security-token", keys.session_token);
  }
  auto headers = canonical_headers(all);
  sign(out, request, path, query, headers, keys, scope);
  out.target = query.empty() ? path : path + '?' + query;
  out.added.emplace_back("authorization", std::string(algorithm) + " Credential=" + keys.access_key_id + '/' +
                                              scope_text(time, scope) + ", SignedHeaders=" +
                                              names_of(headers) + ", Signature=" + out.value);
  return out;
}

Signature sign_query(const SigningRequest& request, const Keys& keys, const Scope& scope, int expires_s) {
  assert(expires_s >= 1 && expires_s <= 604'800);
  Signature out;
  auto time = basic_time(scope.time);
  auto headers = canonical_headers(request.headers);
  auto query = request.query;
  query.emplace_back("X-Amz-Algorithm", algorithm);
  query.emplace_back("X-Amz-Credential", keys.access_key_id + '/' + scope_text(time, scope));
  query.emplace_back("X-Amz-Date", time);
  query.emplace_back("X-Amz-Expires", std::to_string(expires_s));
  query.emplace_back("X-Amz-SignedHeaders", names_of(headers));
  bool has_token = !keys.session_token.empty();
  if (has_token && !request.omit_session_token)
    query.emplace_back("X-Amz-Security-Token", keys.session_token);
  auto path = canonical_path(request), signed_query = canonical_query(query);
  sign(out, request, path, signed_query, headers, keys, scope);
  out.target = path + '?' + signed_query;
  if (has_token && request.omit_session_token)
    out.target += "&X-Amz-Security-Token=" + percent_encode(keys.session_token);
  out.target += "&X-Amz-Signature=" + out.value;
  return out;
}

}  // namespace segments::aws
