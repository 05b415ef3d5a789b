// Whatever comes in: a clear 4xx that names every fault, and nothing changed.
#include <limits>

#include "api/fixture.h"
#include "base/text.h"

namespace segments::testing {
namespace {

class BadInput : public ApiTest {
 protected:
  void SetUp() override {
    id_ = create_segment("alice", "v1", 1, R"("title":"kept")");
    before_ = get("/api/segments").body;
    newest_event_ = services().events.newest_event_id();
  }
  void TearDown() override {
    EXPECT_EQ(get("/api/segments").body, before_);
    EXPECT_EQ(services().events.newest_event_id(), newest_event_);
    EXPECT_TRUE(services().queue.health().counts.empty());
  }
  // A body for POST /api/segments with one member replaced by JSON text.
  static std::string with(const std::string& member, const std::string& value) {
    std::map<std::string, std::string> members{{"video_id", "\"v1\""},  {"segment_type", "\"processed\""},
                                               {"segment_number", "2"}, {"s3_key", "\"processed/v1/2.mp4\""},
                                               {"duration", "1.5"},     {"file_size", "10"}};
    members[member] = value;
    std::string body;
    for (const auto& [name, text] : members) body += (body.empty() ? "{\"" : ",\"") + name + "\":" + text;
    return body + "}";
  }
  void expect_fault(const std::string& body, const std::string& pointer) {
    auto answer = post("/api/segments", body);
    EXPECT_EQ(answer.status, 422) << body.substr(0, 200);
    EXPECT_TRUE(answer.has_fault(pointer)) << body.substr(0, 200) << "\n" << answer.body.substr(0, 500);
    EXPECT_TRUE(is_utf8(answer.body));
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(answer.text("request_id"), answer.header("X-Request-Id"));
  }

  std::string id_, before_;
  std::int64_t newest_event_ = 0;
};

// Every route that reads a body, each with a path that exists.
std::vector<std::pair<const char*, std::string>> routes_with_bodies(const std::string& id) {
  std::string segment = "/api/segments/" + id;
  return {{"POST", "/api/segments"},
          {"PUT", segment},
          {"PATCH", segment},
          {"POST", segment + "/social-media"},
          {"POST", segment + "/social-media-usage"},
          {"POST", "/api/social-media/sync"},
          {"POST", "/api/upload/initiate"},
          {"POST", "/api/upload/initiate-multipart"},
          {"POST", "/api/upload/part"},
          {"POST", "/api/upload/finalize-multipart"},
          {"POST", "/api/upload/abort-multipart"},
          {"POST", "/api/upload/complete"},
          {"POST", "/api/upload/complete-multipart"},
          {"POST", "/api/video/analyze-duration"},
          {"POST", "/api/videos/url"}};
}

TEST_F(BadInput, WhatIsNotJsonIs400OnEveryRoute) {
  for (const auto& [method, path] : routes_with_bodies(id_))
    for (const std::string& body :
         {std::string("{"), std::string("nonsense"), std::string("{\"a\":NaN}"), std::string("{'a':1}"),
          std::string("{\"a\":1,}"), std::string("{} {}"), std::string("\xff\xfe"),
          std::string("{\"a\":\"\xff\"}"), std::string("{\"a\":\"\xed\xa0\x80\"}"), std::string(100, '['),
          "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}", std::string("{\"a\":Infinity}")}) {
      auto answer = call(method, path, body, "alice", {{"content-type", "application/json"}});
      EXPECT_EQ(answer.status, 400) << method << " " << path << " " << body;
      EXPECT_FALSE(answer.text("detail").empty());
    }
}

TEST_F(BadInput, WhatIsNotAnObjectIs422OnEveryRoute) {
  for (const auto& [method, path] : routes_with_bodies(id_))
    for (const char* body : {"[]", "[{\"video_id\":\"v1\"}]", "1", "\"x\"", "true", "null"}) {
      auto answer = call(method, path, body, "alice", {{"content-type", "application/json"}});
      EXPECT_EQ(answer.status, 422) << method << " " << path << " " << body;
      EXPECT_FALSE(answer.faults().empty());
    }
}

TEST_F(BadInput, UnknownMembersAreNamedOnEveryRoute) {
  for (const auto& [method, path] : routes_with_bodies(id_)) {
    auto answer = call(method, path, R"({"no_such~member/":1,"other":{}})", "alice",
                       {{"content-type", "application/json"}});
    EXPECT_EQ(answer.status, 422) << method << " " << path;
    EXPECT_TRUE(answer.has_fault("/no_such~0member~1")) << method << " " << path << answer.body;
    EXPECT_TRUE(answer.has_fault("/other"));
  }
}

TEST_F(BadInput, OtherContentTypesAre415OnEveryRoute) {
  for (const auto& [method, path] : routes_with_bodies(id_))
    for (const char* type : {"text/plain", "application/x-www-form-urlencoded",
                             "multipart/form-data; boundary=x", "application/jsonx"})
      EXPECT_EQ(call(method, path, "{}", "alice", {{"content-type", type}}).status, 415)
          << method << " " << path << " " << type;
}

TEST_F(BadInput, EveryFaultIsNamedAtOnce) {
  auto answer = post(
      "/api/segments",
      R"({"video_id":"","segment_type":"film","segment_number":-1,"s3_key":"../x","duration":-0.5,"file_size":"10","tags":["ok","",3],"extra":1})");
  EXPECT_EQ(answer.status, 422);
  for (const char* pointer : {"/video_id", "/segment_type", "/segment_number", "/s3_key", "/duration",
                              "/file_size", "/tags/1", "/tags/2", "/extra"})
    EXPECT_TRUE(answer.has_fault(pointer)) << pointer << "\n" << answer.body;
  auto empty = post("/api/segments", "{}");
  EXPECT_EQ(empty.faults().size(), 6u) << empty.body;
}

TEST_F(BadInput, Numbers) {
  for (const char* value : {"\"1\"", "-1", "1.5", "9223372036854775808", "18446744073709551616", "1e400",
                            "-1e400", "null", "true", "[]", "{}", "1000000001"})
    expect_fault(with("segment_number", value), "/segment_number");
  for (const char* value : {"\"12.5\"", "-0.001", "1e400", "-9223372036854775808", "null", "[1]", "1e300"})
    expect_fault(with("duration", value), "/duration");
  for (const char* value :
       {"\"1000\"", "-1", "0.5", "9223372036854775808", "9007199254740992", "1e400", "null"})
    expect_fault(with("file_size", value), "/file_size");
}

TEST_F(BadInput, Strings) {
  for (const char* value : {"\"\"", "7", "null", "\"a/b\"", "\"..\"", "\"a\\u0000b\"", "\"a b\"", "\"\\\"\"",
                            "\"'; DROP TABLE segments; --\"", "\"😀\"", "\"a\\nb\""})
    expect_fault(with("video_id", value), "/video_id");
  expect_fault(with("video_id", "\"" + std::string(201, 'v') + "\""), "/video_id");
  for (const char* value : {"\"\"", "\"/a\"", "\"a//b\"", "\"a/../b\"", "\"a/./b\"", "\"..\"", "\"a\\\\b\"",
                            "\"a\\u0000\"", "\"a/\"", "1"})
    expect_fault(with("s3_key", value), "/s3_key");
  expect_fault(with("s3_key", "\"" + std::string(901, 'k') + "\""), "/s3_key");
  const std::string ten_megabytes(10 << 20, 'x');
  for (const char* member : {"video_id", "s3_key", "title", "description", "content_type"})
    expect_fault(with(member, "\"" + ten_megabytes + "\""), std::string("/") + member);
  expect_fault(with("tags", "[\"" + ten_megabytes + "\"]"), "/tags/0");
  expect_fault(with("title", "\"a\\u0000b\""), "/title");
  expect_fault(with("title", "\"line\\nbreak\""), "/title");
  expect_fault(with("content_type", "\"video/mp4\\r\\nX: y\""), "/content_type");
  expect_fault(with("content_type", "\"nonsense\""), "/content_type");
  expect_fault(with("segment_type", "\"PROCESSED\""), "/segment_type");
  expect_fault(with("segment_type", "1"), "/segment_type");
  std::string many = "[";
  for (int i = 0; i < 101; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\"";
  expect_fault(with("tags", many + "]"), "/tags");
  expect_fault(with("tags", "\"a,b\""), "/tags");
}

TEST_F(BadInput, UpdatesAreCheckedAsCreationsAre) {
  for (const char* body : {R"({"title":7})", R"({"tags":[""]})", R"({"tags":"a"})", R"({"description":{}})",
                           R"({"download_count":5})", R"({"segment_id":"x"})", R"({"title":"a\u0007"})"})
    EXPECT_EQ(put("/api/segments/" + id_, body).status, 422) << body;
}

TEST_F(BadInput, IdsInPathsAreNeverAFaultOfTheServer) {
  for (const std::string& id : {std::string("a%2Fb"),
                                std::string(".."),
                                std::string("%2e%2e"),
                                std::string("..%2f..%2fetc%2fpasswd"),
                                std::string("%00"),
                                std::string("a%00b"),
                                std::string("%22"),
                                std::string("'"),
                                std::string("%27%20OR%201=1"),
                                std::string("%F0%9F%98%80"),
                                std::string("%FF"),
                                std::string("%ED%A0%80"),
                                std::string("%zz"),
                                std::string("%"),
                                std::string("%0A"),
                                std::string(400, 'a'),
                                std::string(10'000, 'a'),
                                std::string("%25"),
                                std::string("*"),
                                std::string("{segment_id}")})
    for (const auto& [method, path] : std::vector<std::pair<const char*, std::string>>{
             {"GET", "/api/segments/" + id},
             {"DELETE", "/api/segments/" + id},
             {"GET", "/api/segments/" + id + "/download"},
             {"GET", "/api/segments/" + id + "/play"},
             {"GET", "/api/segments/" + id + "/analytics"},
             {"GET", "/api/videos/" + id},
             {"GET", "/api/videos/" + id + "/segments"},
             {"DELETE", "/api/videos/" + id},
             {"GET", "/api/jobs/" + id + "/status"},
             {"POST", "/api/jobs/" + id + "/cancel"},
             {"GET", "/api/job-progress/" + id + "/stream"},
             {"GET", "/api/tasks/" + id},
             {"GET", "/api/segments/" + id + "/social-media/history"},
             {"DELETE", "/api/segments/" + id + "/social-media/tiktok"},
             {"GET", "/media/" + id},
             {"GET", "/media/uploads/" + id + "/x"}}) {
      auto answer = call(method, path);
      EXPECT_GE(answer.status, 400) << method << " " << path;
      EXPECT_LT(answer.status, 500) << method << " " << path;
      EXPECT_TRUE(answer.status != 405) << method << " " << path;
      EXPECT_TRUE(is_utf8(answer.body));
    }
}

TEST_F(BadInput, EveryFaultOfAQueryIsNamed) {
  auto answer = get(
      "/api/"
      "segments?min_duration=abc&max_duration=nan&min_downloads=1.5&segment_type=film&platform=myspace&limit="
      "0&offset=-1&"
      "has_social_media=maybe&created_after=yesterday&sort_by=colour&order=up&nonsense=1&search=a&search=b");
  EXPECT_EQ(answer.status, 422);
  for (const char* name : {"min_duration", "max_duration", "min_downloads", "segment_type", "platform",
                           "limit", "offset", "has_social_media", "created_after", "nonsense", "search"})
    EXPECT_TRUE(answer.has_fault(name)) << name << "\n" << answer.body;
  for (const char* query :
       {"min_duration=1e400", "min_duration=-1", "min_duration=inf", "min_duration=0x10",
        "limit=9223372036854775808", "limit=99999999999999999999", "page=0", "min_duration=5&max_duration=1",
        "sort_by=colour", "order=up", "created_before=2026-13-01", "search=a%0Ab", "tags=,a%07"})
    EXPECT_EQ(get(std::string("/api/segments?") + query).status, 422) << query;
  for (const char* query : {"search=%FF", "search=%", "search=%00", "x=%zz"})
    EXPECT_EQ(get(std::string("/api/segments?") + query).status, 400) << query;
  EXPECT_EQ(get("/api/segments?search=" + std::string(201, 'x')).status, 422);
  EXPECT_EQ(get("/api/segments/" + id_ + "?fields=title").status, 422);
}

TEST_F(BadInput, PostsThatCannotBe) {
  std::string path = "/api/segments/" + id_ + "/social-media";
  struct Case {
    const char* body;
    const char* pointer;
  };
  for (auto [body, pointer] : std::initializer_list<Case>{
           {R"({})", "/platform"},
           {R"({"platform":"myspace","post_id":"1"})", "/platform"},
           {R"({"platform":"tiktok"})", "/post_id"},
           {R"({"platform":"tiktok","post_id":""})", "/post_id"},
           {R"({"platform":"tiktok","post_id":123})", "/post_id"},
           {R"({"platform":"youtube","post_id":"a b c d e f"})", "/post_id"},
           {R"({"platform":"youtube","post_url":"not an address"})", "/post_url"},
           {R"({"platform":"youtube","post_url":"https://example.org/watch?v=dQw4w9WgXcQ"})", "/post_url"},
           {R"({"platform":"tiktok","post_url":"https://youtu.be/dQw4w9WgXcQ"})", "/post_url"},
           {R"({"platform":"tiktok","post_url":"https://vm.tiktok.com/ZMabc123/"})", "/post_url"},
           {R"({"platform":"youtube","post_id":"AAAAAAAAAAA","post_url":"https://youtu.be/dQw4w9WgXcQ"})",
            "/post_id"},
           {R"({"platform":"youtube","post_id":"dQw4w9WgXcQ","posted_at":"soon"})", "/posted_at"}}) {
    auto answer = post(path, body);
    EXPECT_EQ(answer.status, 422) << body << answer.body;
    EXPECT_TRUE(answer.has_fault(pointer)) << body << answer.body;
  }
  EXPECT_EQ(remove(path + "/myspace").status, 422);
  EXPECT_EQ(remove(path + "/tiktok").status, 404);
  for (const char* body :
       {R"({"platform":"tiktok","post_data":{"views":-1}})",
        R"({"platform":"tiktok","post_data":{"views":"5"}})",
        R"({"platform":"tiktok","post_data":{"shoes":1}})", R"({"platform":"tiktok","segment_id":"another"})",
        R"({"platform":"tiktok","post_data":{"likes":9223372036854775808}})"})
    EXPECT_EQ(post(path + "-usage", body).status, 422) << body;
  EXPECT_EQ(post("/api/social-media/sync", R"({"platforms":["myspace"]})").status, 422);
}

TEST_F(BadInput, WrongMethodsSayWhichAreAllowed) {
  auto answer = call("DELETE", "/api/segments");
  EXPECT_EQ(answer.status, 405);
  std::string allow = answer.header("Allow");
  for (const char* method : {"GET", "HEAD", "POST", "OPTIONS"})
    EXPECT_NE(allow.find(method), std::string::npos) << allow;
  EXPECT_EQ(call("BREW", "/api/segments").status, 405);
  EXPECT_EQ(get("/api/nothing").status, 404);
  EXPECT_EQ(get("/api/segments/" + id_ + "/text-overlays").status, 404);
}

}  // namespace
}  // namespace segments::testing
