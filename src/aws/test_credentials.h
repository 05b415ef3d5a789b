// An environment of a test's own, and what the places that give keys answer.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "aws/credential_sources.h"
#include "aws/test_http_server.h"
#include "base/ids.h"

namespace segments::aws {

class TestEnvironment {
 public:
  TestEnvironment() {
    std::filesystem::create_directories(folder_);
    set("AWS_SHARED_CREDENTIALS_FILE", file("credentials"));
    set("AWS_CONFIG_FILE", file("config"));
  }
  ~TestEnvironment() { std::filesystem::remove_all(folder_); }
  TestEnvironment(const TestEnvironment&) = delete;
  TestEnvironment& operator=(const TestEnvironment&) = delete;

  void set(const std::string& name, const std::string& value) {
    std::lock_guard lock(mutex_);
    variables_[name] = value;
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  void put_file(const std::string& name, const std::string& text) { std::ofstream(file(name)) << text; }
  Environment environment() {
    return [this](std::string_view name) -> std::optional<std::string> {
      std::lock_guard lock(mutex_);
      auto at = variables_.find(std::string(name));
      return at == variables_.end() ? std::nullopt : std::optional(at->second);
    };
  }
  CredentialContext context() {
    return {.environment = environment(), .sleep = [this](Millis ms) { slept.push_back(ms); }};
  }
  std::vector<Millis> slept;

 private:
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("aws-test-" + make_id());
  std::mutex mutex_;
  std::map<std::string, std::string> variables_;
};

inline std::string json_keys(const std::string& id, Millis expires_at) {
  return R"({"Code":"Success","AccessKeyId":")" + id +
         R"(","SecretAccessKey":"SeCrEt","Token":"ToKeN","Expiration":")" + format_time(expires_at) + R"("})";
}

inline std::string sts_answer(const std::string& id, Millis expires_at) {
  return "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
         "  <AssumeRoleWithWebIdentityResult>\n    "
         "<SubjectFromWebIdentityToken>x</SubjectFromWebIdentityToken>\n"
         "    <Credentials>\n      <SessionToken>ToKeN</SessionToken>\n      "
         "<SecretAccessKey>SeCrEt</SecretAccessKey>\n"
         "      <Expiration>" +
         format_time(expires_at) + "</Expiration>\n      <AccessKeyId>" + id +
         "</AccessKeyId>\n    </Credentials>\n  </AssumeRoleWithWebIdentityResult>\n"
         "</AssumeRoleWithWebIdentityResponse>\n";
}

inline std::string sts_error(const std::string& code) {
  return "<ErrorResponse "
         "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>" +
         code + "</Code><Message>about the ToKeN</Message></Error><RequestId>r</RequestId></ErrorResponse>";
}

// The instance metadata service, version 2.
inline TestHttpServer::Answer imds_answer(const TestHttpServer::Received& request, const std::string& keys) {
  if (request.method == "PUT") return {http_answer(200, "SeSsIoN")};
  if (request.header("x-aws-ec2-metadata-token") != "SeSsIoN") return {http_answer(401, "")};
  if (request.target.ends_with("/security-credentials/")) return {http_answer(200, "my role\nanother")};
  return {http_answer(200, keys)};
}

}  // namespace segments::aws
