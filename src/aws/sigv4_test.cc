#include "aws/sigv4.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "base/test_source_root.h"
#include "base/text.h"
#include "describe/decode.h"

namespace segments::aws {
namespace {

namespace fs = std::filesystem;

// AWS's signing test suite (awslabs/aws-c-auth, tests/aws-signing-test-suite/v4): where SEGMENTS_SIGV4_SUITE
// says, or beside the project.
fs::path suite_folder() {
  if (const char* named = std::getenv("SEGMENTS_SIGV4_SUITE")) return named;
  return source_root() / "../shared/data/aws-sigv4/v4";
}

std::string file_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in) << file;
  std::ostringstream out;
  out << in.rdbuf();
  auto text = out.str();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

struct Case {
  SigningRequest request;
  std::string body;
  Keys keys;
  std::string region, service;
  Millis time = 0;
  int expires_s = 0;
  bool signs_body = false;
  Scope scope() const { return {region, service, time}; }
};

void read_target(std::string_view target, SigningRequest& request) {
  auto mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark == target.npos) return;
  for (const auto& pair : split(target.substr(mark + 1), '&')) {
    auto equals = pair.find('=');
    auto value = equals == pair.npos ? std::string() : pair.substr(equals + 1);
    request.query.emplace_back(percent_decode(pair.substr(0, equals)).value(), percent_decode(value).value());
  }
}

void read_request(const std::string& text, Case& out) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  auto first = line.find(' '), last = line.rfind(' ');
  out.request.method = line.substr(0, first);
  read_target(std::string_view(line).substr(first + 1, last - first - 1), out.request);
  while (std::getline(lines, line) && !line.empty()) {
    if (line.starts_with(' ')) {
      out.request.headers.back().second += '\n' + line;
      continue;
    }
    auto colon = line.find(':');
    out.request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
  std::getline(lines, out.body, '\0');
}

Case read_case(const fs::path& folder) {
  Case out;
  auto json = parse_json(file_text(folder / "context.json"));
  const auto& context = json.as_object();
  auto text = [](const boost::json::object& from, const char* name) {
    return std::string(from.at(name).as_string());
  };
  const auto& keys = context.at("credentials").as_object();
  out.keys = {text(keys, "access_key_id"), text(keys, "secret_access_key"),
              keys.contains("token") ? text(keys, "token") : ""};
  out.region = text(context, "region");
  out.service = text(context, "service");
  out.time = parse_time(text(context, "timestamp")).value();
  out.expires_s = static_cast<int>(context.at("expiration_in_seconds").as_int64());
  out.signs_body = context.at("sign_body").as_bool();
  out.request.normalize_path = context.at("normalize").as_bool();
  if (const auto* omits = context.if_contains("omit_session_token"))
    out.request.omit_session_token = omits->as_bool();
  read_request(file_text(folder / "request.txt"), out);
  out.request.payload_hash = hex_sha256(out.body);
  return out;
}

// Its lines after the first, as name and value, and the path and the query's parameters in any order.
std::multiset<std::string> parts_of(const std::string& request) {
  std::multiset<std::string> parts;
  std::istringstream lines(request);
  std::string line;
  std::getline(lines, line);
  for (auto& part : split(line.substr(0, line.rfind(' ')), line.find('?') == line.npos ? ' ' : '&'))
    parts.insert(part);
  while (std::getline(lines, line) && !line.empty()) {
    if (line.starts_with(' ')) continue;
    parts.insert(lower_ascii(line.substr(0, line.find(':'))) + ":" + line.substr(line.find(':') + 1));
  }
  return parts;
}

TEST(Sigv4Suite, AgreesInEveryCase) {
  auto folder = suite_folder();
  if (!fs::exists(folder)) GTEST_SKIP() << "AWS's suite is not at " << folder << " (SEGMENTS_SIGV4_SUITE)";
  int cases = 0, checks = 0, failures = 0;
  auto hold = [&](bool holds, const std::string& what) {
    ++checks;
    failures += !holds;
    EXPECT_TRUE(holds) << what;
  };
  auto check = [&](const fs::path& expected, const std::string& found) {
    hold(found == file_text(expected), expected.string() + "\n" + found);
  };
  for (const auto& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename());
    ++cases;
    auto given = read_case(entry.path());
    auto for_header = given.request;
    if (given.signs_body) for_header.headers.emplace_back("x-amz-content-sha256", given.request.payload_hash);
    auto by_header = sign_headers(for_header, given.keys, given.scope());
    check(entry.path() / "header-canonical-request.txt", by_header.canonical_request);
    check(entry.path() / "header-string-to-sign.txt", by_header.string_to_sign);
    check(entry.path() / "header-signature.txt", by_header.value);
    auto by_query = sign_query(given.request, given.keys, given.scope(), given.expires_s);
    check(entry.path() / "query-canonical-request.txt", by_query.canonical_request);
    check(entry.path() / "query-string-to-sign.txt", by_query.string_to_sign);
    check(entry.path() / "query-signature.txt", by_query.value);

    // Every header that the signed request has of ours is there as it stands.
    auto expected = parts_of(file_text(entry.path() / "header-signed-request.txt"));
    for (const auto& [name, value] : by_header.added)
      hold(expected.contains(name + ":" + value), name + ": " + value);
    // The presigned target has the same parameters, in whatever order.
    auto wanted = parts_of(file_text(entry.path() / "query-signed-request.txt"));
    auto made = split(by_query.target.substr(by_query.target.find('?') + 1), '&');
    for (const auto& parameter : made) {
      if (!parameter.starts_with("X-Amz-")) continue;
      bool is_first = std::ranges::any_of(
          wanted, [&](const std::string& part) { return part.ends_with("?" + parameter); });
      hold(is_first || wanted.contains(parameter), parameter);
    }
  }
  std::cout << "AWS's suite: " << cases << " cases, " << checks << " checks, " << failures << " failed\n";
  EXPECT_EQ(cases, 38);
  EXPECT_GE(checks, 38 * 6);
}

// The worked examples of S3's documentation ("Authenticating Requests", GET Object and a presigned GET).
const Keys example_keys = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
const Scope example_scope = {"us-east-1", "s3", 1'369'353'600'000};  // 2013-05-24T00:00:00Z

TEST(Sigv4, SignsAWorkedExampleOfS3ByHeader) {
  SigningRequest request{.method = "GET", .path = "/test.txt"};
  request.payload_hash = hex_sha256("");
  request.headers = {{"Host", "examplebucket.s3.amazonaws.com"},
                     {"Range", "bytes=0-9"},
                     {"x-amz-content-sha256", request.payload_hash}};
  EXPECT_EQ(sign_headers(request, example_keys, example_scope).value,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Sigv4, PresignsAWorkedExampleOfS3) {
  SigningRequest request{.method = "GET", .path = "/test.txt"};
  request.payload_hash = unsigned_payload;
  request.headers = {{"host", "examplebucket.s3.amazonaws.com"}};
  auto signature = sign_query(request, example_keys, example_scope, 86'400);
  EXPECT_EQ(signature.value, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  EXPECT_EQ(signature.target,
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
            "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-"
            "SignedHeaders=host&X-Amz-Signature="
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(Sigv4, KeepsAKeyOfS3AsItIs) {
  SigningRequest request{.method = "GET", .path = "/a//b/../c d/%20+&=é"};
  request.payload_hash = unsigned_payload;
  request.headers = {{"host", "h"}};
  EXPECT_EQ(sign_headers(request, example_keys, example_scope).target, "/a//b/../c%20d/%2520%2B%26%3D%C3%A9");
}

TEST(Sigv4, SortsTheQueryByItsEncodedNames) {
  SigningRequest request{.method = "GET"};
  request.headers = {{"host", "h"}};
  // Decoded, "é" stands after "z"; encoded, "%C3" stands before it. A name without value gets its equals
  // sign.
  request.query = {{"z", "1"}, {"é", "2"}, {"uploads", ""}, {"a", "2"}, {"a", "1"}, {"a-b", "~ /"}};
  EXPECT_EQ(sign_headers(request, example_keys, example_scope).target,
            "/?%C3%A9=2&a=1&a=2&a-b=~%20%2F&uploads=&z=1");
}

TEST(Sigv4, ShowsNoSecret) {
  SigningRequest request{.method = "GET"};
  request.headers = {{"host", "h"}};
  auto signature = sign_headers(request, example_keys, example_scope);
  std::string all =
      signature.target + signature.canonical_request + signature.string_to_sign + signature.value;
  for (const auto& [name, value] : signature.added) all += name + value;
  EXPECT_EQ(all.find(example_keys.secret_access_key), std::string::npos);
}

TEST(HttpDate, IsReadAsServersWriteIt) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784'111'777'000);
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT"), 1'709'251'199'000);
  for (const char* wrong :
       {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"})
    EXPECT_EQ(parse_http_date(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace segments::aws
