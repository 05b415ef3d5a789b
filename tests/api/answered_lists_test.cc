// Lists that are asked for again: answered from memory while nothing has changed, and never a moment longer.
#include <atomic>
#include <thread>

#include "api/fixture.h"
#include "base/text.h"
#include "sqlite/stores.h"

namespace segments::testing {
namespace {

class AnsweredLists : public ApiTest {
 public:
  // Of the answers that came from memory.
  double from_memory() {
    return static_cast<double>(
        metrics().counter("segments_list_answers_total", "", {{"from", "memory"}}).value());
  }
  Answer list(const std::string& user = "alice", Headers headers = {}) {
    return get("/api/segments?limit=100", user, std::move(headers));
  }
  std::int64_t count() { return list()["total_count"].as_int64(); }
};

TEST_F(AnsweredLists, AskedAgainAreTheSameAndComeFromMemory) {
  OF_EMBEDDED_ENGINES("DynamoDB keeps no revision");
  for (int i = 1; i <= 5; ++i) create_segment("alice", "v1", i);
  for (const char* path :
       {"/api/segments", "/api/segments?limit=2", "/api/segments?limit=2&sort_by=name&offset=2",
        "/api/segments?search=segment&limit=2", "/api/segments?segment_type=audio"}) {
    auto first = get(path);
    const double before = from_memory();
    auto second = get(path);
    EXPECT_EQ(from_memory(), before + 1) << path;
    EXPECT_EQ(first.body, second.body);
    for (const char* header : {"ETag", "Link", "Cache-Control", "Content-Type"})
      EXPECT_EQ(first.header(header), second.header(header)) << header;
    EXPECT_FALSE(first.header("ETag").empty());
  }
  const double before = from_memory();
  EXPECT_EQ(get("/api/segments?limit=0").status, 422);
  EXPECT_EQ(get("/api/segments?limit=0").status, 422);
  EXPECT_EQ(from_memory(), before) << "a refusal is not kept";
}

TEST_F(AnsweredLists, TellWhoeverHasThemThatNothingChanged) {
  std::string id = create_segment();
  auto first = list();
  const std::string etag = first.header("ETag");
  for (int i = 0; i < 2; ++i) {
    auto same = list("alice", {{"If-None-Match", "\"other\", W/" + etag}});
    EXPECT_EQ(same.status, 304);
    EXPECT_TRUE(same.body.empty());
    EXPECT_EQ(same.header("ETag"), etag);
    EXPECT_EQ(same.header("Cache-Control"), "private, no-cache");
  }
  EXPECT_EQ(list("alice", {{"If-None-Match", "\"other\""}}).status, 200);
  EXPECT_EQ(list("bob", {{"If-None-Match", etag}}).status, 200);
  put("/api/segments/" + id, R"({"title":"New"})");
  auto changed = list("alice", {{"If-None-Match", etag}});
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed["segments"].at(0).at("title").as_string(), "New");
  put("/api/segments/" + id, R"({"title":null})");
  EXPECT_NE(list().header("ETag"), changed.header("ETag"));
}

TEST_F(AnsweredLists, ShowEveryChangeInTheNextAnswer) {
  std::string id = create_segment();
  std::string last = list().body;
  list();
  auto expect_changed = [&](const char* what, const Answer& change) {
    EXPECT_LT(change.status, 300) << what << change.body;
    auto now = list().body;
    EXPECT_NE(now, last) << what;
    EXPECT_EQ(list().body, now);
    last = now;
  };
  const std::string base = "/api/segments/" + id;
  expect_changed("title", put(base, R"({"title":"A"})"));
  expect_changed("tags", put(base, R"({"tags":["b"]})"));
  expect_changed("download", get(base + "/download"));
  expect_changed("link",
                 post(base + "/social-media", R"({"platform":"tiktok","post_id":"7123456789012345678"})"));
  expect_changed(
      "counts",
      post(base + "/social-media-usage",
           R"({"segment_id":")" + id +
               R"(","platform":"tiktok","post_data":{"post_id":"7123456789012345678","views":9}})"));
  expect_changed("unlink", remove(base + "/social-media/tiktok"));
  expect_changed("create",
                 post("/api/segments", R"({"video_id":"v9","segment_type":"processed","segment_number":1,)"
                                       R"("s3_key":"processed/v9/1.mp4","duration":1,"file_size":1})"));
  expect_changed("delete", remove(base));
}

TEST_F(AnsweredLists, ShowWhatAnotherProcessChanged) {
  OF_EMBEDDED_ENGINES("there is one table, which is asked every time");
  std::string id = create_segment();
  SqliteStores other({.file = folder() / "segments.db"});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(list().body, list().body);
    const std::string title = "Title " + std::to_string(i);
    other.segments().update_segment(
        id, "alice", {}, [&](Segment& s) { s.title = title; }, "2026-11-23T00:00:00.000Z");
    EXPECT_EQ(list()["segments"].at(0).at("title").as_string(), title);
  }
  // What was begun and undone is nobody's to see, and what was seen stays.
  auto before = list().body;
  EXPECT_THROW(other.segments().update_segment(
                   id, "alice", {}, [](Segment&) { throw Error(ErrorKind::invalid, "No."); }, ""),
               Error);
  EXPECT_EQ(list().body, before);
  rebuild();
  EXPECT_EQ(list().body, before);
}

TEST_F(AnsweredLists, AreEachUsersOwnAndOfTheOriginThatAsked) {
  Segment segment;
  segment.segment_id = "seg_v1_001";
  segment.video_id = "v1";
  segment.user_id = "alice";
  segment.s3_key = "processed/v1/segment_001.mp4";
  segment.created_at = segment.updated_at = "2026-11-23T00:00:00.000Z";
  segment.thumbnail_url = "thumbnails/v1/segment_001.jpg";
  services().segments.create_segment(segment);
  create_segment("bob", "v2");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(list("alice")["segments"].at(0).at("video_id").as_string(), "v1");
    EXPECT_EQ(list("bob")["segments"].at(0).at("video_id").as_string(), "v2");
    EXPECT_EQ(list("carol")["total_count"].as_int64(), 0);
    if (is_cloud()) continue;
    for (std::string proto : {"http", "https"}) {
      const Headers headers{{"X-Forwarded-Proto", proto}};
      auto answer = list("alice", headers);
      std::string thumbnail(answer["segments"].at(0).at("thumbnail_url").as_string());
      EXPECT_TRUE(thumbnail.starts_with(proto + "://")) << thumbnail;
      auto one = get("/api/segments?limit=1&sort_by=name", "alice", headers);
      EXPECT_EQ(one["segments"].at(0).at("thumbnail_url").as_string(), thumbnail);
    }
  }
}

TEST_F(AnsweredLists, AreNeverOlderThanAnAnsweredChangeWhileManyAsk) {
  std::string id = create_segment();
  std::atomic<std::int64_t> answered{0};
  std::atomic<bool> is_over{false};
  std::vector<std::thread> readers;
  std::atomic<int> stale{0};
  for (int t = 0; t < 3; ++t)
    readers.emplace_back([&] {
      while (!is_over) {
        const auto at_least = answered.load();
        auto shown = list()["segments"].at(0).at("download_count").as_int64();
        if (shown < at_least) ++stale;
      }
    });
  for (int i = 0; i < (is_cloud() ? 20 : 300); ++i)
    answered = get("/api/segments/" + id + "/download")["download_count"].as_int64();
  is_over = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(stale, 0);
}

}  // namespace
}  // namespace segments::testing
