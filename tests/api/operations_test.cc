// The document against the table, CORS, and what those who run the service look at.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <regex>
#include <set>

#include "api/fixture.h"
#include "api/route.h"
#include "api/schema_check.h"
#include "base/text.h"
#include "sqlite/connection.h"

namespace segments::testing {
namespace {

class Operations : public ApiTest {
 protected:
  Answer open_get(const std::string& target) { return call("GET", target, "", ""); }
};

std::string document_path(std::string path) {
  if (auto dots = path.find("..."); dots != path.npos) path.erase(dots, 3);
  return path;
}

TEST_F(Operations, TheDocumentIsTheTableNoMoreAndNoLess) {
  auto document = open_get("/openapi.json").json.as_object();
  EXPECT_TRUE(document["openapi"].as_string().starts_with("3.1"));
  std::set<std::string> documented, routed, bound, ids;
  for (const auto& path : document["paths"].as_object())
    for (const auto& operation : path.value().as_object()) {
      documented.insert(std::string(operation.key()) + " " + std::string(path.key()));
      EXPECT_TRUE(ids.insert(std::string(operation.value().at("operationId").as_string())).second)
          << path.key();
      EXPECT_FALSE(operation.value().at("summary").as_string().empty());
    }
  for (const auto& route : api_routes())
    routed.insert(lower_ascii(route.method) + " " + document_path(route.pattern));
  for (const auto& route : router().routes())
    bound.insert(lower_ascii(route.method) + " " + document_path(route.pattern));
  EXPECT_EQ(documented, routed);
  EXPECT_EQ(bound, routed);
}

TEST_F(Operations, EveryParameterBodyAndReferenceIsDocumented) {
  OpenApi api(make_openapi());
  const auto& paths = api.document().at("paths").as_object();
  for (const auto& route : api_routes()) {
    const auto& operation = paths.at(document_path(route.pattern)).at(lower_ascii(route.method)).as_object();
    std::set<std::string> names;
    if (const auto* parameters = operation.if_contains("parameters"))
      for (const auto& parameter : parameters->as_array()) {
        const auto* reference = parameter.as_object().if_contains("$ref");
        std::string text(reference ? reference->as_string() : parameter.at("name").as_string());
        names.insert(text.substr(text.rfind('/') + 1));
      }
    std::string pattern = document_path(route.pattern);
    std::regex braces("\\{(\\w+)\\}");
    for (std::sregex_iterator match(pattern.begin(), pattern.end(), braces), end; match != end; ++match)
      EXPECT_TRUE(names.contains((*match)[1])) << pattern;
    if (route.query) {
      auto schema = route.query.make();
      for (const auto& member : schema["properties"].as_object())
        EXPECT_TRUE(names.contains(std::string(member.key()))) << pattern << " " << member.key();
    }
    for (const char* header : route.headers) EXPECT_TRUE(names.contains(header)) << pattern;
    EXPECT_EQ(operation.contains("requestBody"),
              route.body || std::holds_alternative<std::unique_ptr<BodySink> (*)(const Request&, Services&)>(
                                route.handler))
        << pattern;
    EXPECT_TRUE(operation.at("responses").as_object().contains(std::to_string(route.status)));
  }
  // Every reference leads somewhere.
  std::string text = make_openapi();
  std::regex references("\"\\$ref\":\"#/([^\"]+)\"");
  std::size_t count = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), references), end; match != end;
       ++match, ++count) {
    const boost::json::value* at = nullptr;
    const auto* in = &api.document();
    for (const auto& part : split((*match)[1].str(), '/')) {
      at = in->if_contains(part);
      ASSERT_TRUE(at) << (*match)[1];
      in = &at->as_object();
    }
  }
  EXPECT_GT(count, 100u);
}

// The fixture checks every answer of every test against the document; this one makes sure that each route is
// answered with success at least once, and that the check can fail.
TEST_F(Operations, EveryRouteSucceedsAsDocumented) {
  std::set<std::string> done;
  auto ok = [&](const std::string& method, const std::string& target, const std::string& body = "") {
    Headers headers;
    if (!body.empty()) headers.emplace_back("content-type", "application/json");
    auto answer = call(method, target, body, "alice", headers);
    EXPECT_LT(answer.status, 300) << method << " " << target << " " << answer.body;
    auto at = target.find("/media/");  // of an address that it gave
    std::string path = at == target.npos ? target : target.substr(at);
    done.insert(lower_ascii(method) + " " +
                OpenApi(make_openapi()).template_of(path.substr(0, path.find('?'))));
    return answer;
  };
  probe = [](const std::string&) {
    MediaInfo info;
    info.duration = 65;
    info.has_video = true;
    return info;
  };
  auto segment = ok(
      "POST", "/api/segments",
      R"({"video_id":"v1","segment_type":"processed","segment_number":1,"s3_key":"processed/v1/1.mp4","duration":1,"file_size":1,"tags":["a"]})");
  std::string id = segment.text("segment_id"), path = "/api/segments/" + id;
  ok("GET", "/api/segments");
  ok("GET", path);
  ok("PUT", path, R"({"title":"x"})");
  ok("PATCH", path, R"({"title":"y"})");
  ok("GET", path + "/download");
  ok("POST", path + "/download");
  put_object("processed/v1/1.mp4", "bytes");
  ok("GET", ok("GET", path + "/play").text("play_url"));
  ok("GET", "/api/videos/v1/segments");
  auto linked = ok("POST", path + "/social-media", R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})");
  ok("POST", path + "/social-media?wait=true", R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})");
  ok("POST", path + "/social-media-usage", R"({"platform":"tiktok","post_data":{"views":1}})");
  ok("GET", path + "/social-media/history");
  ok("GET", path + "/analytics");
  ok("DELETE", path + "/social-media/youtube");
  ok("POST", "/api/social-media/sync", "{}");
  ok("GET", "/api/tasks/" + linked.header("X-Task-Id"));

  auto upload =
      ok("POST", "/api/upload/initiate", R"({"filename":"a.mp4","content_type":"video/mp4","file_size":5})");
  Answer put = call("PUT", upload.text("presigned_url"), "bytes", "", {{"content-type", "video/mp4"}});
  EXPECT_LT(put.status, 300) << put.body;
  // Where the objects lie elsewhere, so are their addresses.
  EXPECT_EQ(call("PUT", "/media/a.mp4", "bytes", "").status, is_cloud() ? 404 : 403);
  done.insert("put /media/{key}");
  std::string key = upload.text("s3_key"), job = upload.text("job_id");
  ok("POST", "/api/video/analyze-duration",
     R"({"s3_key":")" + key + R"(","cutting_options":{"type":"fixed","duration_seconds":30}})");
  ok("POST", "/api/upload/complete", R"({"s3_key":")" + key + R"(","job_id":")" + job + R"("})");
  ok("GET", "/api/videos");
  ok("GET", "/api/videos/" + job);
  auto url = ok("POST", "/api/videos/url", R"({"bucket_location":")" + key + R"("})");
  ok("GET", url.text("url"));
  ok("GET", "/api/jobs/" + job + "/status");
  ok("GET", "/api/job-progress/" + job + "/stream");
  ok("POST", "/api/jobs/" + job + "/cancel");
  ok("DELETE", "/api/videos/" + job);

  auto parts = ok("POST", "/api/upload/initiate-multipart",
                  R"({"filename":"b.mp4","content_type":"video/mp4","file_size":5})");
  std::string ids =
      R"("upload_id":")" + parts.text("upload_id") + R"(","s3_key":")" + parts.text("s3_key") + "\"";
  auto part = ok("POST", "/api/upload/part", "{" + ids + R"(,"part_number":1,"content_type":"video/mp4"})");
  auto sent = call("PUT", part.text("presigned_url"), "bytes", "");
  EXPECT_LT(sent.status, 300) << sent.body;
  std::string etag = sent.header("ETag");
  etag = etag.substr(1, etag.size() - 2);
  std::string joined = ids + R"(,"job_id":")" + parts.text("job_id") +
                       R"(","parts":[{"PartNumber":1,"ETag":")" + etag + "\"}]";
  ok("POST", "/api/upload/finalize-multipart", "{" + joined + "}");
  ok("POST", "/api/upload/complete-multipart", "{" + joined + "}");
  auto third = ok("POST", "/api/upload/initiate-multipart",
                  R"({"filename":"c.mp4","content_type":"video/mp4","file_size":5})");
  ok("POST", "/api/upload/abort-multipart",
     R"({"upload_id":")" + third.text("upload_id") + R"(","s3_key":")" + third.text("s3_key") + "\"}");

  ok("GET", "/api/events");
  ok("POST", "/api/stream-tickets");
  ok("DELETE", path);
  services().queue.beat("worker");
  for (const char* target : {"/health", "/api/health", "/ready", "/metrics", "/openapi.json", "/docs"})
    ok("GET", target);

  for (const auto& route : api_routes())
    EXPECT_TRUE(done.contains(lower_ascii(route.method) + " " + document_path(route.pattern)))
        << route.method << " " << route.pattern;
}

TEST_F(Operations, TheCheckOfAnswersCanFail) {
  OpenApi api(make_openapi());
  std::string good = get("/api/segments/" + create_segment()).body;
  auto faults = [&](std::string body) {
    return api.faults_of("GET", "/api/segments/x", 200, "application/json", body).size();
  };
  EXPECT_EQ(faults(good), 0u);
  auto changed = boost::json::parse(good).as_object();
  changed["duration"] = "12.5";
  changed["extra"] = 1;
  changed.erase("tags");
  changed["segment_type"] = "film";
  EXPECT_EQ(faults(boost::json::serialize(changed)), 4u);
  EXPECT_EQ(api.faults_of("GET", "/api/segments/x", 299, "application/json", good).size(), 1u);
  EXPECT_EQ(api.faults_of("GET", "/nowhere", 200, "application/json", good).size(), 1u);
}

TEST_F(Operations, EveryPathAnswersAPreflight) {
  for (const auto& route : api_routes()) {
    auto answer = call("OPTIONS", document_path(route.pattern), "", "",
                       {{"Origin", "http://page.example"},
                        {"Access-Control-Request-Method", route.method},
                        {"Access-Control-Request-Headers", "content-type"}});
    EXPECT_EQ(answer.status, 204) << route.pattern;
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(answer.header("Access-Control-Allow-Credentials"), "");
    std::string methods = answer.header("Access-Control-Allow-Methods"),
                headers = lower_ascii(answer.header("Access-Control-Allow-Headers"));
    EXPECT_NE(methods.find(route.method), methods.npos);
    for (const char* name : {"authorization", "content-type", "idempotency-key", "if-match", "if-none-match",
                             "last-event-id", "range", "x-request-id"})
      EXPECT_NE(headers.find(name), headers.npos) << name;
    EXPECT_FALSE(answer.header("Access-Control-Max-Age").empty());
  }
}

TEST_F(Operations, AnswersAndErrorsMayBeReadByPagesOfTheOriginsThatAreSet) {
  settings_.cors_origins = "https://a.example, https://b.example";
  rebuild();
  for (const char* target :
       {"/api/segments", "/api/segments/none", "/api/nothing", "/api/segments?limit=x", "/health"}) {
    auto answer = get(target, "alice", {{"Origin", "https://b.example"}});
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "https://b.example") << target;
    EXPECT_EQ(answer.header("Vary"), "Origin");
    std::string exposed = answer.header("Access-Control-Expose-Headers");
    for (const char* name : {"ETag", "Location", "X-Request-Id", "Link", "Retry-After", "X-Task-Id",
                             "Content-Range", "Accept-Ranges"})
      EXPECT_NE(exposed.find(name), exposed.npos) << name;
    EXPECT_EQ(
        get(target, "alice", {{"Origin", "https://evil.example"}}).header("Access-Control-Allow-Origin"), "");
    EXPECT_EQ(get(target, "alice", {{"Origin", "https://b.example.evil.example"}})
                  .header("Access-Control-Allow-Origin"),
              "");
    EXPECT_EQ(get(target).header("Access-Control-Allow-Origin"), "");
  }
  EXPECT_EQ(get("/api/segments", "", {{"Origin", "https://a.example"}}).header("Access-Control-Allow-Origin"),
            "https://a.example");
}

TEST_F(Operations, RequestIdsAreTakenOverAndRepeated) {
  EXPECT_EQ(get("/health", "", {{"X-Request-Id", "mine-1"}}).header("X-Request-Id"), "mine-1");
  auto answer = get("/api/segments/none", "alice", {{"X-Request-Id", "mine-2"}});
  EXPECT_EQ(answer.text("request_id"), "mine-2");
  EXPECT_EQ(answer.text("instance"), "/api/segments/none");
  EXPECT_FALSE(get("/health", "", {{"X-Request-Id", "a b\"c"}}).header("X-Request-Id").empty());
}

TEST_F(Operations, ReadyTellsEachPartAndWhatIsMissing) {
  auto answer = open_get("/ready");
  EXPECT_EQ(answer.status, 503);  // no worker yet
  EXPECT_EQ(answer.header("Retry-After"), "5");
  EXPECT_FALSE(answer["checks"].at("worker").at("ok").as_bool());
  for (const char* part : {"store", "objects", "disk", "queue"})
    EXPECT_TRUE(answer["checks"].at(part).at("ok").as_bool()) << part << answer.body;
  services().queue.beat("worker");
  EXPECT_EQ(open_get("/ready").status, 503);  // looked at a moment ago
  rebuild();
  auto ready = open_get("/ready");
  EXPECT_EQ(ready.status, 200) << ready.body;
  EXPECT_EQ(ready.text("status"), "ready");
  EXPECT_EQ(open_get("/health").text("status"), "ok");
}

// The operating system refuses to let any file grow beyond the store's log, as a full disk does.
TEST_F(Operations, ReadyReallyWritesToTheStore) {
  OF_EMBEDDED_ENGINES("it is about SQLite's file");
  create_segment();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit full{.rlim_cur = std::filesystem::file_size(folder() / "segments.db-wal"),
              .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  auto unready = open_get("/ready");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(unready.status, 503);
  EXPECT_FALSE(unready["checks"].at("store").at("ok").as_bool()) << unready.body;
  EXPECT_TRUE(unready["checks"].at("queue").at("ok").as_bool()) << unready.body;
  rebuild();
  EXPECT_TRUE(open_get("/ready")["checks"].at("store").at("ok").as_bool());
}

// Another process keeps the store's one writer waiting; whoever asks is told all the same, and again when it
// is over. Were the wait not bounded, the store would be said to have answered as it should not.
TEST_F(Operations, ReadyDoesNotWaitForAStoreThatIsKeptBusy) {
  OF_EMBEDDED_ENGINES("it is about SQLite's one writer");
  services().queue.beat("worker");
  rebuild();
  {
    sqlite::Connection other({.file = folder() / "segments.db"});
    other.run("BEGIN IMMEDIATE");
    auto unready = open_get("/ready");
    EXPECT_EQ(unready.status, 503);
    EXPECT_EQ(unready.text("status"), "unready");
    EXPECT_EQ(unready["checks"].at("store").at("detail"), "store has not answered yet") << unready.body;
    EXPECT_EQ(unready["checks"].as_object().size(), 5u);
    for (const char* part : {"objects", "disk", "queue", "worker"})
      EXPECT_TRUE(unready["checks"].at(part).at("ok").as_bool()) << part << unready.body;
    EXPECT_EQ(open_get("/ready").status, 503) << "the same look, still under way";
    other.run("ROLLBACK");
  }
  Answer ready;
  do ready = open_get("/ready");
  while (ready.body.find("has not answered yet") != std::string::npos);
  EXPECT_EQ(ready.status, 200) << ready.body;
}

// What looks at many rows must not hold up the threads that serve connections.
TEST_F(Operations, ALongBodyOrAWaitForCountsIsForThePool) {
  settings_.is_behind_network = false;  // where any request for segments may wait for another machine
  rebuild();
  auto is_for_pool = [&](const std::string& method, const std::string& target, std::size_t body_bytes) {
    Request request;
    request.method = method;
    request.target = target;
    request.headers = {{"authorization", "Bearer " + token("alice")}, {"host", "api.example:8000"}};
    auto match = router().prepare(request);
    request.body = std::string(body_bytes, ' ');
    return match.route && match.route->is_for_pool(request);
  };
  const std::string link = "/api/segments/s/social-media";
  for (auto [method, target] : {std::pair<const char*, std::string>{"POST", "/api/segments"},
                                {"PUT", "/api/segments/s"},
                                {"POST", link}}) {
    EXPECT_FALSE(is_for_pool(method, target, 16 * 1024)) << target;
    EXPECT_TRUE(is_for_pool(method, target, 16 * 1024 + 1)) << target;
  }
  EXPECT_TRUE(is_for_pool("POST", link + "?wait=true", 100));
}

TEST_F(Operations, OnlyListsByAnIndexRunInline) {
  auto runs_on_pool = [&](std::string target) {
    Request request;
    request.method = "GET";
    request.target = target;
    // As get() sends it.
    request.headers = {{"authorization", "Bearer " + token("alice")}, {"host", "api.example:8000"}};
    auto match = router().prepare(request);
    EXPECT_TRUE(match.route) << target;
    if (!match.route || match.route->is_for_pool(request)) return true;
    const auto answer = router().begin(*match.route, request);
    return answer.later && answer.later->must_wait();
  };
  settings_.is_behind_network = true;
  rebuild();
  EXPECT_TRUE(runs_on_pool("/api/segments")) << "asking another machine takes its time";
  settings_.is_behind_network = false;
  rebuild();
  for (const char* query :
       {"", "?user_id=alice", "?segment_type=processed", "?limit=200&sort_by=name&order=asc", "?cursor=abc",
        "?offset=1000", "?page=21", "?page=6&limit=200", "?page=6&limit=99999999999999999",
        "?search=&tags=", "?offset=x&page=y&limit=-9223372036854775808", "?page=-9223372036854775808"})
    EXPECT_FALSE(runs_on_pool(std::string("/api/segments") + query)) << query;
  for (const char* query :
       {"?search=a", "?tags=a", "?has_social_media=false", "?platform=tiktok", "?video_id=v",
        "?min_duration=1", "?created_after=2026-01-01T00:00:00Z", "?segment_type=audio", "?offset=1001",
        "?page=22", "?page=7&limit=200", "?page=1000000000&limit=99999999999999999",
        "?page=9223372036854775807", "?user_id=alice&search=a", "?unknown=1"})
    EXPECT_TRUE(runs_on_pool(std::string("/api/segments") + query)) << query;
  // What is there already is answered at once.
  for (const char* query : {"?search=a", "?offset=1001", "?page=22"}) {
    EXPECT_EQ(get(std::string("/api/segments") + query).status, 200);
    EXPECT_EQ(runs_on_pool(std::string("/api/segments") + query), is_cloud()) << query;
  }
  EXPECT_FALSE(runs_on_pool("/api/segments/some"));
  EXPECT_TRUE(runs_on_pool("/api/videos/some/segments"));
}

TEST_F(Operations, MetricsAreWellFormed) {
  create_segment();
  services().totals.add_total("segments_created_by_tasks", 3);
  std::string text = open_get("/metrics").body;
  std::regex line(
      R"(^(# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? [-+0-9.eEInfNa]+)$)");
  std::set<std::string> types;
  for (const auto& row : split(text, '\n')) {
    if (row.empty()) continue;
    EXPECT_TRUE(std::regex_match(row, line)) << row;
    if (row.starts_with("# TYPE ")) {
      EXPECT_TRUE(types.insert(row.substr(7, row.find(' ', 7) - 7)).second) << row;
    }
  }
  for (const char* name : {"process_resident_memory_bytes", "process_open_fds", "segments_queue_dead_letters",
                           "segments_event_streams"})
    EXPECT_TRUE(types.contains(name)) << name << "\n" << text;
}

TEST_F(Operations, TheDocsPageLoadsNothingFromElsewhere) {
  auto answer = open_get("/docs");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body.find("https://"), std::string::npos);
  EXPECT_EQ(answer.body.find("http://"), std::string::npos);
  EXPECT_EQ(answer.body.find("src="), std::string::npos);
  EXPECT_EQ(answer.body.find("NONCE"), std::string::npos);
  std::string policy = answer.header("Content-Security-Policy");
  EXPECT_TRUE(policy.starts_with("default-src 'none'")) << policy;
  EXPECT_EQ(policy.find("unsafe"), policy.npos);
  auto at = policy.find("'nonce-") + 7;
  std::string nonce = policy.substr(at, policy.find('\'', at) - at);
  EXPECT_NE(answer.body.find("<script nonce=\"" + nonce + "\">"), std::string::npos);
  EXPECT_EQ(open_get("/docs").body.find(nonce), std::string::npos);
}

}  // namespace
}  // namespace segments::testing
