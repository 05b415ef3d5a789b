// The whole interface in process: a router on engines of the test's own, wired as the program's are; the
// embedded ones in a folder, or with SEGMENTS_TEST_ENGINES=cloud DynamoDB, S3 and Redis (cloud.h). Requests
// go through Router::call, and every JSON answer is checked against what the OpenAPI document says of its
// route.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/routes.h"
#include "app/engines.h"
#include "base/metrics.h"
#include "services/services.h"

namespace segments::testing {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  Response response;
  int status = 0;
  std::string body;         // of a file answer: the file's bytes in the range
  boost::json::value json;  // null when the body is not JSON

  std::string header(std::string_view name) const;  // "" when absent; case does not matter
  // A member by its path: answer["segments"][0]… starts here.
  const boost::json::value& operator[](std::string_view member) const { return json.at(member); }
  std::string text(std::string_view member) const { return std::string(json.at(member).as_string()); }
  // "pointer code" of every fault of a problem.
  std::vector<std::string> faults() const;
  bool has_fault(std::string_view pointer) const;
};

class Cloud;
bool is_cloud();

// Skips the test elsewhere, and says why: for what is by its nature of the embedded engines.
#define OF_EMBEDDED_ENGINES(why) \
  if (is_cloud()) GTEST_SKIP() << "of the embedded engines alone: " why

class ApiTest : public ::testing::Test {
 public:
  explicit ApiTest(AuthMode mode = AuthMode::token);
  ~ApiTest() override;

  // `user` "" sends no token. Paths are sent as they are, with their query. As a page does it follows an
  // address wherever that leads: to this server, by its redirect, or to where the objects lie.
  Answer call(std::string method, std::string target, std::string body = "",
              const std::string& user = "alice", Headers headers = {});
  Answer get(std::string target, const std::string& user = "alice", Headers headers = {}) {
    return call("GET", std::move(target), "", user, std::move(headers));
  }
  // Bodies are JSON and say so.
  Answer post(std::string target, std::string body, const std::string& user = "alice", Headers headers = {});
  Answer put(std::string target, std::string body, const std::string& user = "alice", Headers headers = {});
  Answer remove(std::string target, const std::string& user = "alice", Headers headers = {}) {
    return call("DELETE", std::move(target), "", user, std::move(headers));
  }

  std::string token(const std::string& user);
  // A segment made through the API; its id. `more` is put into the body: "\"title\":\"x\"".
  std::string create_segment(const std::string& user = "alice", const std::string& video_id = "video1",
                             int number = 1, const std::string& more = "");
  void put_object(const std::string& key, std::string_view bytes, const std::string& type = "video/mp4");

  Services& services() { return *services_; }
  Metrics& metrics() { return services_->metrics; }
  Router& router() { return *router_; }
  ServiceSettings& settings() { return settings_; }  // then rebuild()
  const std::filesystem::path& folder() const { return folder_; }
  // A router anew, with the settings as they are now, on the same data.
  void rebuild();
  // Answers of probes of object locations, instead of the real libav where a test needs no real video.
  std::function<MediaInfo(const std::string&)> probe;

 private:
  Answer call_elsewhere(const std::string& method, const std::string& url, const std::string& body,
                        const Headers& headers);

 protected:
  std::filesystem::path folder_;
  ServiceSettings settings_;
  std::unique_ptr<Cloud> cloud_;  // null on the embedded engines
  std::unique_ptr<Engines> engines_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<Router> router_;
};

class TrustedApiTest : public ApiTest {
 public:
  TrustedApiTest() : ApiTest(AuthMode::none) {}
};

}  // namespace segments::testing
