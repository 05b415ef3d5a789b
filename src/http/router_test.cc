#include "http/router.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/log.h"
#include "http/test_client.h"

namespace segments {
namespace {

using test::route;

Response show_request(const Request& request) {
  std::string body;
  for (const auto& [name, value] : request.path_parameters) body += name + "=" + value + ";";
  for (const auto& [name, value] : request.query) body += "?" + name + "=" + value;
  return json_response(body);
}

std::function<Response(const Request&)> named(std::string name) {
  return [name](const Request& request) { return json_response(name + ":" + show_request(request).body); };
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() { set_log_level(LogLevel::off); }

  Response ask(std::string method, std::string target,
               std::vector<std::pair<std::string, std::string>> headers = {}) {
    Request request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.headers = std::move(headers);
    return router.call(request);
  }
  static std::string header(const Response& response, std::string_view name) {
    return std::string(response.headers.find(name));
  }

  Metrics metrics;
  bool admits = true;
  Router router{
      {route("GET", "/api/segments", named("list")), route("POST", "/api/segments", named("create")),
       route("GET", "/api/segments/{segment_id}", named("get")),
       route("DELETE", "/api/segments/{segment_id}", named("remove")),
       route("GET", "/api/segments/{segment_id}/social-media/{platform}", named("social")),
       route("POST", "/api/segments/import", named("import")),
       route("GET", "/api/{kind}/count", named("count")), route("GET", "/media/{key...}", named("media")),
       route("GET", "/fails/{how}",
             [](const Request& request) -> Response {
               auto how = request.path_parameter("how");
               if (how == "std") throw std::runtime_error("secret cause");
               if (how == "internal") throw Error(ErrorKind::internal, "secret cause");
               if (how == "int") throw 7;
               if (how == "busy") throw Error(ErrorKind::unavailable, "Later.", {}, 17);
               if (how == "limited") throw Error(ErrorKind::rate_limited, "Slower.");
               if (how == "token") throw Error(ErrorKind::unauthorized, "No token.");
               throw invalid_input(
                   {{"/tags/3", "type", "Must be \"text\"."}, {"/title", "length", "Too long."}});
             })},
      {[this](Request& request, bool) {
         if (!admits) throw Error(ErrorKind::unauthorized, "Who are you?");
         request.user = "u1";
       },
       [](const Request&, Response& response) { response.set("Access-Control-Allow-Origin", "*"); },
       &metrics}};
};

TEST_F(RouterTest, FindsLiteralThenParameterThenRest) {
  EXPECT_EQ(ask("GET", "/api/segments").body, "list:");
  EXPECT_EQ(ask("POST", "/api/segments").body, "create:");
  EXPECT_EQ(ask("GET", "/api/segments/a1").body, "get:segment_id=a1;");
  EXPECT_EQ(ask("POST", "/api/segments/import").body, "import:");
  EXPECT_EQ(ask("GET", "/api/segments/a/social-media/tiktok").body, "social:segment_id=a;platform=tiktok;");
  EXPECT_EQ(ask("GET", "/media/a/b/c.mp4").body, "media:key=a/b/c.mp4;");
  EXPECT_EQ(ask("GET", "/api/jobs/count").body, "count:kind=jobs;");
}

TEST_F(RouterTest, AnotherMethodOfALiteralPathFallsBackToTheParameter) {
  EXPECT_EQ(ask("GET", "/api/segments/import").body, "get:segment_id=import;");
  // "/api/segments/…" leads nowhere with "count" as literal, so the branch of {kind} is not lost.
  EXPECT_EQ(ask("GET", "/api/segments/count").body, "get:segment_id=count;");
}

TEST_F(RouterTest, DecodesEachSegmentOnItsOwn) {
  EXPECT_EQ(ask("GET", "/api/segments/a%2Fb").body, "get:segment_id=a/b;");
  EXPECT_EQ(ask("GET", "/api/segments/..%2f..%2fetc").body, "get:segment_id=../../etc;");
  EXPECT_EQ(ask("GET", "/api/segments/%F0%9F%98%80+%22").body, "get:segment_id=😀+\";");
  EXPECT_EQ(ask("GET", "/api/%73egments").body, "list:");
  EXPECT_EQ(ask("GET", "/media/a%20b//c").body, "media:key=a b//c;");
}

TEST_F(RouterTest, QueryIsDecodedInOrder) {
  EXPECT_EQ(ask("GET", "/api/segments?b=2&a=1+1%2B&&c&d=").body, "list:?b=2?a=1 1+?c=?d=");
  EXPECT_EQ(ask("GET", "/api/segments?a=b=c").body, "list:?a=b=c");
}

TEST_F(RouterTest, BadEncodingsAre400) {
  for (auto target : {"/api/segments/%", "/api/segments/%zz", "/api/segments/%ff", "/api/segments/%00",
                      "/api/segments/%ed%a0%80", "/api/segments?a=%", "/api/segments?a=%00",
                      "/api/segments?%ff=1", "/media/x%00.mp4", "api", "", "?a=%G1"})
    EXPECT_EQ(ask("GET", target).status, std::string_view(target).empty() ? 404 : 400) << target;
}

TEST_F(RouterTest, DoubledLeadingSlashesAreOne) {
  EXPECT_EQ(ask("GET", "//api/segments").body, "list:");
  EXPECT_EQ(ask("GET", "///api/segments/a").body, "get:segment_id=a;");
  EXPECT_EQ(ask("GET", "/api//segments").status, 404);
}

TEST_F(RouterTest, AbsoluteForm) {
  EXPECT_EQ(ask("GET", "http://host:8000/api/segments?a=1").body, "list:?a=1");
  EXPECT_EQ(ask("GET", "http://host").status, 404);
  EXPECT_EQ(ask("OPTIONS", "*").status, 204);
}

TEST_F(RouterTest, TrailingSlashIsAnotherPath) {
  EXPECT_EQ(ask("GET", "/api/segments/").status, 404);
  EXPECT_EQ(ask("GET", "/media/").status, 404);
  EXPECT_EQ(ask("GET", "/media/a/").body, "media:key=a/;");
}

TEST_F(RouterTest, MethodsOfAPath) {
  auto refused = ask("PATCH", "/api/segments/a");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(header(refused, "Allow"), "GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(header(refused, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(ask("PATCH", "/nowhere").status, 404);
  EXPECT_EQ(ask("BREW", "/api/segments").status, 405);
  EXPECT_EQ(ask("HEAD", "/api/segments").body, "list:");
  EXPECT_EQ(ask("HEAD", "/api/segments/a/b").status, 404);
}

TEST_F(RouterTest, PreflightNeedsNoUser) {
  admits = false;
  auto preflight = ask("OPTIONS", "/api/segments/a");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(header(preflight, "Allow"), "GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(header(preflight, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(ask("OPTIONS", "/nowhere").status, 404);
}

TEST_F(RouterTest, RefusedByAdmit) {
  admits = false;
  auto refused = ask("GET", "/api/segments");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(header(refused, "WWW-Authenticate"), "Bearer");
  EXPECT_NE(metrics.print().find(R"(http_requests_total{method="GET",route="/api/segments",status="401"} 1)"),
            std::string::npos);
}

TEST_F(RouterTest, RequestIds) {
  EXPECT_EQ(header(ask("GET", "/api/segments", {{"x-request-id", "abc-1.2_Z"}}), "X-Request-Id"),
            "abc-1.2_Z");
  for (auto bad : {std::string("a b"), std::string("a\"b"), std::string(129, 'a'), std::string()}) {
    auto made = header(ask("GET", "/nowhere", {{"x-request-id", bad}}), "X-Request-Id");
    EXPECT_NE(made, bad);
    EXPECT_GE(made.size(), 16u);
  }
  EXPECT_NE(header(ask("GET", "/a"), "X-Request-Id"), header(ask("GET", "/a"), "X-Request-Id"));
}

TEST_F(RouterTest, ProblemsTellEveryFault) {
  auto answer = ask("GET", "/fails/rules?secret=1", {{"x-request-id", "r1"}});
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(header(answer, "Content-Type"), "application/problem+json");
  EXPECT_EQ(answer.body,
            R"({"type":"about:blank","title":"Unprocessable Content","status":422,)"
            R"("detail":"The input has 2 faults.","instance":"/fails/rules","request_id":"r1","errors":[)"
            R"({"pointer":"/tags/3","code":"type","detail":"Must be \"text\"."},)"
            R"({"pointer":"/title","code":"length","detail":"Too long."}]})");
}

TEST_F(RouterTest, RetryAfter) {
  EXPECT_EQ(header(ask("GET", "/fails/busy"), "Retry-After"), "17");
  EXPECT_EQ(header(ask("GET", "/fails/limited"), "Retry-After"), "1");
  EXPECT_EQ(header(ask("GET", "/fails/token"), "Retry-After"), "");
}

TEST_F(RouterTest, OurOwnFaultsSayNothingAndAreLoggedOnce) {
  auto log = testing::TempDir() + "http_router_log";
  std::remove(log.c_str());
  ASSERT_TRUE(set_log_file(log));
  set_log_level(LogLevel::error);
  for (auto how : {"std", "internal", "int"}) {
    auto answer = ask("GET", std::string("/fails/") + how, {{"x-request-id", "r2"}});
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  }
  set_log_level(LogLevel::off);
  std::ifstream file(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[0].find("secret cause"), std::string::npos);
  EXPECT_NE(lines[0].find(R"("request_id":"r2")"), std::string::npos);
}

TEST_F(RouterTest, AccessLogHasNoQuery) {
  auto log = testing::TempDir() + "http_access_log";
  std::remove(log.c_str());
  ASSERT_TRUE(set_log_file(log));
  set_log_level(LogLevel::info);
  ask("GET", "/api/segments/a?ticket=geheim", {{"x-request-id", "r3"}});
  set_log_level(LogLevel::off);
  std::ifstream file(log);
  std::string line((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(line.find("geheim"), std::string::npos);
  for (auto part :
       {R"("event":"http.request")", R"("method":"GET")", R"("path":"/api/segments/a")", R"("user":"u1")",
        R"("route":"/api/segments/{segment_id}")", R"("status":200)", R"("request_id":"r3")", "duration_ms"})
    EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
}

TEST_F(RouterTest, MetricsByRoute) {
  for (int i = 0; i < 3; ++i) ask("GET", "/api/segments/" + std::to_string(i));
  ask("HEAD", "/api/segments/1");
  ask("GET", "/nowhere/1");
  ask("BREW", "/nowhere/2");
  auto text = metrics.print();
  for (auto line : {R"(http_requests_total{method="GET",route="/api/segments/{segment_id}",status="200"} 3)",
                    R"(http_requests_total{method="HEAD",route="/api/segments/{segment_id}",status="200"} 1)",
                    R"(http_requests_total{method="GET",route="",status="404"} 1)",
                    R"(http_requests_total{method="other",route="",status="404"} 1)",
                    R"(http_request_duration_seconds_count{route="/api/segments/{segment_id}"} 4)"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

TEST(Response, SetReplaces) {
  Response response;
  response.set("ETag", "a");
  response.set("etag", "b");
  EXPECT_EQ(response.headers.lines(), "etag: b\r\n");
}

TEST(RouterUpload, WholeUploadThroughCall) {
  set_log_level(LogLevel::off);
  struct Sink : BodySink {
    std::string got;
    void write(std::string_view piece) override {
      if (piece == "bad") throw Error(ErrorKind::too_large, "Too large.");
      got += piece;
    }
    Response finish() override { return json_response("got " + got, 201); }
  };
  Router router({{"PUT", "/media/{key...}", Runs::on_pool, true, nullptr,
                  [](const Request& request) -> std::unique_ptr<BodySink> {
                    if (request.path_parameter("key") == "no") throw Error(ErrorKind::forbidden, "No.");
                    return std::make_unique<Sink>();
                  }}},
                {});
  auto put = [&](std::string target, std::string body) {
    Request request;
    request.method = "PUT";
    request.target = std::move(target);
    request.body = std::move(body);
    return router.call(request);
  };
  EXPECT_EQ(put("/media/a", "bytes").body, "got bytes");
  EXPECT_EQ(put("/media/a", "").body, "got ");
  EXPECT_EQ(put("/media/no", "bytes").status, 403);
  EXPECT_EQ(put("/media/a", "bad").status, 413);
}

}  // namespace
}  // namespace segments
