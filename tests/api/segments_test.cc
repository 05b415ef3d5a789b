// Segments through the whole interface: records, changes, lists in every order.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "api/fixture.h"
#include "model/segment_query.h"

namespace segments::testing {
namespace {

class Segments : public ApiTest {};

std::string etag_of(const Answer& answer) {
  return answer.header("ETag");
}

TEST_F(Segments, CreateAnswersTheWholeRecordInItsOrder) {
  auto created = post(
      "/api/segments",
      R"({"video_id":"v1","segment_type":"processed","segment_number":7,"s3_key":"processed/v1/segment_007.mp4",)"
      R"("duration":12.5,"file_size":9007199254740991,"title":"Ünï 😀","tags":["a","b c"]})");
  ASSERT_EQ(created.status, 201) << created.body;
  std::vector<std::string> names;
  for (const auto& member : created.json.as_object()) names.emplace_back(member.key());
  EXPECT_EQ(names, (std::vector<std::string>{
                       "segment_id",         "video_id",     "user_id",        "segment_type",
                       "segment_number",     "s3_key",       "s3_url",         "duration",
                       "file_size",          "content_type", "thumbnail_url",  "created_at",
                       "updated_at",         "title",        "description",    "tags",
                       "social_media_usage", "filename",     "download_count", "last_downloaded_at"}));
  std::string id = created.text("segment_id");
  EXPECT_TRUE(id.starts_with("seg_v1_")) << id;
  EXPECT_EQ(created.text("user_id"), "alice");
  EXPECT_EQ(created["duration"].as_double(), 12.5);
  EXPECT_EQ(created["file_size"].as_int64(), 9'007'199'254'740'991);
  EXPECT_EQ(created["download_count"].as_int64(), 0);
  EXPECT_EQ(created.text("content_type"), "video/mp4");
  EXPECT_EQ(created.text("filename"), "segment_007.mp4");
  EXPECT_TRUE(created["description"].is_null());
  EXPECT_EQ(created.text("created_at").size(), 24u);
  EXPECT_EQ(created.header("Location"), "/api/segments/" + id);
  EXPECT_NE(created.body.find("\"duration\":12.5,"), std::string::npos);

  auto read = get("/api/segments/" + id);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, created.body);
  EXPECT_EQ(etag_of(read), etag_of(created));
  EXPECT_EQ(call("HEAD", "/api/segments/" + id).status, 200);
}

TEST_F(Segments, AreListedTheMomentTheyAreCreated) {
  std::string id = create_segment("alice", "v1", 1);
  for (const char* list : {"/api/segments", "/api/videos/v1/segments", "/api/segments?video_id=v1"}) {
    auto answer = get(list);
    ASSERT_EQ(answer["segments"].as_array().size(), 1u) << list;
    EXPECT_EQ(answer["segments"].at(0).at("segment_id").as_string(), id);
    EXPECT_EQ(answer["total_count"].as_int64(), 1);
    EXPECT_EQ(answer["page_size"].as_int64(), 1);
    EXPECT_FALSE(answer["has_more"].as_bool());
    EXPECT_TRUE(answer["next_cursor"].is_null());
  }
}

TEST_F(Segments, OthersSeeThemAsAbsent) {
  std::string id = create_segment("alice", "v1");
  std::string path = "/api/segments/" + id;
  std::string record = get(path).body;
  auto absent = get("/api/segments/seg_nobody_001", "bob");
  for (
      const auto& answer :
      {get(path, "bob"), put(path, R"({"title":"x"})", "bob"), remove(path, "bob"),
       remove(path + "?media=true", "bob"), get(path + "/download", "bob"),
       call("POST", path + "/download", "", "bob"), get(path + "/play", "bob"),
       get(path + "/analytics", "bob"), get(path + "/social-media/history", "bob"),
       post(path + "/social-media", R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})", "bob"),
       post(path + "/social-media-usage", R"({"platform":"youtube"})", "bob"),
       remove(path + "/social-media/youtube", "bob"), get("/api/videos/v1/segments", "bob"),
       post(
           "/api/segments",
           R"({"video_id":"v1","segment_type":"processed","segment_number":1,"s3_key":"a","duration":1,"file_size":1})",
           "bob")}) {
    EXPECT_EQ(answer.status, 404) << answer.body;
    EXPECT_EQ(answer.text("title"), absent.text("title"));
  }
  EXPECT_EQ(get("/api/segments", "bob")["total_count"].as_int64(), 0);
  EXPECT_EQ(get(path).body, record);
}

TEST_F(Segments, AKeyOfSomebodyElsesVideoIsRefused) {
  create_segment("alice", "v1");
  auto stolen = post(
      "/api/segments",
      R"({"video_id":"v2","segment_type":"processed","segment_number":1,"s3_key":"processed/v1/segment_1.mp4","duration":1,"file_size":1})",
      "bob");
  EXPECT_EQ(stolen.status, 422);
  EXPECT_EQ(stolen.faults(), std::vector<std::string>{"/s3_key format"});
  EXPECT_EQ(get("/api/segments", "bob")["total_count"].as_int64(), 0);
}

TEST_F(Segments, ABareUserIdNeverWidensATokenAndNamesNobodyElse) {
  std::string id = create_segment("alice", "v1");
  EXPECT_EQ(get("/api/segments?user_id=alice", "bob").status, 403);
  EXPECT_EQ(get("/api/segments?user_id=bob&user_id=alice", "bob").status, 403);
  EXPECT_EQ(get("/api/segments/" + id + "?user_id=alice", "bob").status, 403);
  EXPECT_EQ(get("/api/segments?user_id=alice").status, 200);
  EXPECT_EQ(get("/api/segments?user_id=").status, 200);
  EXPECT_EQ(put("/api/segments/" + id, R"({"title":"x","user_id":"bob"})").status, 403);
  EXPECT_EQ(
      post(
          "/api/segments",
          R"({"user_id":"alice","video_id":"v9","segment_type":"audio","segment_number":1,"s3_key":"a","duration":1,"file_size":1})",
          "bob")
          .status,
      403);
  EXPECT_EQ(post("/api/social-media/sync", R"({"user_id":"alice"})", "bob").status, 403);
}

TEST_F(Segments, UpdateChangesWhatIsGivenClearsWhatIsNullAndKeepsTheRest) {
  std::string path =
      "/api/segments/" +
      create_segment("alice", "v1", 1, R"("title":"one","description":"line 1\nline 2","tags":["a"])");
  auto changed = put(path, R"({"title":"two"})");
  EXPECT_EQ(changed.text("title"), "two");
  EXPECT_EQ(changed.text("description"), "line 1\nline 2");
  EXPECT_EQ(changed["tags"].as_array().size(), 1u);
  auto patched = call("PATCH", path, R"({"title":null,"tags":null})", "alice",
                      {{"content-type", "application/json; charset=utf-8"}});
  ASSERT_EQ(patched.status, 200) << patched.body;
  EXPECT_TRUE(patched["title"].is_null());
  EXPECT_TRUE(patched["tags"].as_array().empty());
  EXPECT_EQ(patched.text("description"), "line 1\nline 2");
  EXPECT_EQ(get(path).body, patched.body);
}

TEST_F(Segments, ConditionsAreHonoured) {
  std::string path = "/api/segments/" + create_segment();
  auto first = get(path);
  std::string etag = etag_of(first);
  auto unchanged = get(path, "alice", {{"If-None-Match", "\"x\", " + etag}});
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(unchanged.body, "");
  EXPECT_EQ(etag_of(unchanged), etag);

  auto changed = put(path, R"({"title":"new"})", "alice", {{"If-Match", etag}});
  EXPECT_EQ(changed.status, 200);
  EXPECT_NE(etag_of(changed), etag);
  for (const std::string& old : {etag, std::string("\"99-0\""), "W/" + etag_of(changed),
                                 std::string("nonsense"), std::string("\"98-1\", \"99-0\"")}) {
    EXPECT_EQ(put(path, R"({"title":"lost"})", "alice", {{"If-Match", old}}).status, 412) << old;
    EXPECT_EQ(remove(path, "alice", {{"If-Match", old}}).status, 412) << old;
  }
  EXPECT_EQ(get(path).text("title"), "new");
  EXPECT_EQ(get(path, "alice", {{"If-None-Match", etag}}).status, 200);
  EXPECT_EQ(put(path, R"({"title":"any"})", "alice", {{"If-Match", "*"}}).status, 200);
  // Downloads change the record but not what an editor edits.
  std::string before = etag_of(get(path));
  get(path + "/download");
  EXPECT_NE(etag_of(get(path)), before);
  EXPECT_EQ(put(path, R"({"title":"still mine"})", "alice", {{"If-Match", before}}).status, 200);
  EXPECT_EQ(put("/api/segments/none", R"({"title":"x"})", "alice", {{"If-Match", "*"}}).status, 404);
  EXPECT_EQ(remove(path, "alice", {{"If-Match", etag_of(get(path)) + ", \"77-1\""}}).status, 200);
}

TEST_F(Segments, TwoHundredWritersWithIfMatchLoseNoUpdateUnnoticed) {
  std::string path = "/api/segments/" + create_segment("alice", "v1", 1, R"("tags":["0"])");
  std::atomic<int> succeeded{0}, refused{0}, other{0};
  std::vector<std::thread> writers;
  for (int w = 0; w < 200; ++w)
    writers.emplace_back([&] {
      auto read = get(path);
      int value = std::stoi(std::string(read["tags"].at(0).as_string()));
      auto answer = put(path, "{\"tags\":[\"" + std::to_string(value + 1) + "\"]}", "alice",
                        {{"If-Match", etag_of(read)}});
      if (answer.status == 200)
        ++succeeded;
      else if (answer.status == 412)
        ++refused;
      else
        ++other;
    });
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(other, 0);
  EXPECT_EQ(succeeded + refused, 200);
  EXPECT_GE(succeeded, 1);
  // Each success built on the one before: had one been lost, the count would be short.
  EXPECT_EQ(std::stoi(std::string(get(path)["tags"].at(0).as_string())), succeeded.load());
}

TEST_F(Segments, TheDownloadCounterIsExactForSixtyFourThreads) {
  std::string path = "/api/segments/" + create_segment() + "/download";
  std::mutex mutex;
  std::set<std::int64_t> counts;
  std::vector<std::thread> threads;
  for (int t = 0; t < 64; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        auto answer = t % 2 ? get(path) : call("POST", path);
        std::lock_guard lock(mutex);
        counts.insert(answer["download_count"].as_int64());
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counts.size(), 320u);
  EXPECT_EQ(*counts.begin(), 1);
  EXPECT_EQ(*counts.rbegin(), 320);
}

TEST_F(Segments, DownloadGivesAnAddressThatWorksAndHeadDoesNotCount) {
  std::string id = create_segment("alice", "v1", 1);
  put_object("processed/v1/segment_1.mp4", "bytes of the clip");
  auto head = call("HEAD", "/api/segments/" + id + "/download");
  EXPECT_EQ(head.status, 200);
  auto download = get("/api/segments/" + id + "/download");
  EXPECT_EQ(download["download_count"].as_int64(), 1);
  EXPECT_EQ(download.text("segment_id"), id);
  EXPECT_EQ(download.header("Cache-Control"), "no-store");
  std::string url = download.text("download_url");
  ASSERT_TRUE(url.starts_with("http://")) << url;
  auto media = call("GET", url, "", "");
  EXPECT_EQ(media.status, 200);
  EXPECT_EQ(media.body, "bytes of the clip");
  EXPECT_EQ(media.header("Content-Disposition"), "attachment; filename=\"segment_1.mp4\"");
  auto record = get("/api/segments/" + id);
  EXPECT_EQ(record["download_count"].as_int64(), 1);
  EXPECT_FALSE(record["last_downloaded_at"].is_null());

  std::string play = get("/api/segments/" + id + "/play").text("play_url");
  auto played = call("HEAD", play, "", "");
  EXPECT_EQ(played.status, 200);
  EXPECT_TRUE(played.header("Content-Disposition").starts_with("inline"))
      << played.header("Content-Disposition");
  EXPECT_EQ(get("/api/segments/" + id)["download_count"].as_int64(), 1);
}

TEST_F(Segments, TheLifeOfAnAddressIsBounded) {
  std::string path = "/api/segments/" + create_segment();
  for (const char* what : {"/download", "/play"}) {
    EXPECT_EQ(get(path + what + "?expires_in=60").status, 200);
    EXPECT_EQ(get(path + what + "?expires_in=604800").status, 200);
    for (const char* bad : {"59", "604801", "0", "-1", "1e3", "9223372036854775808", "x", "60.5"}) {
      auto answer = get(path + what + "?expires_in=" + bad);
      EXPECT_EQ(answer.status, 422) << bad;
      EXPECT_TRUE(answer.has_fault("expires_in")) << bad;
    }
  }
  EXPECT_EQ(get(path)["download_count"].as_int64(), 2);
  Millis now = now_ms();
  auto expires = parse_time(get(path + "/play?expires_in=600").text("expires_at"));
  ASSERT_TRUE(expires);
  EXPECT_NEAR(static_cast<double>(*expires - now), 600'000, 30'000);
}

TEST_F(Segments, RemoveTakesMediaOnlyWhenAsked) {
  std::string kept = create_segment("alice", "v1", 1), gone = create_segment("alice", "v1", 2);
  put_object("processed/v1/segment_1.mp4", "1");
  put_object("processed/v1/segment_2.mp4", "2");
  EXPECT_EQ(remove("/api/segments/" + kept).text("message"), "Segment deleted successfully");
  EXPECT_EQ(remove("/api/segments/" + kept).status, 404);
  EXPECT_EQ(get("/api/segments/" + kept).status, 404);
  EXPECT_EQ(remove("/api/segments/" + gone + "?media=true").status, 200);
  EXPECT_TRUE(services().objects.find_object("processed/v1/segment_1.mp4"));
  EXPECT_FALSE(services().objects.find_object("processed/v1/segment_2.mp4"));
  EXPECT_EQ(get("/api/videos/v1/segments")["total_count"].as_int64(), 0);
}

TEST_F(Segments, AnIdempotencyKeyMakesOneSegmentHoweverOftenItIsSent) {
  std::string body =
      R"({"video_id":"v1","segment_type":"processed","segment_number":1,"s3_key":"a/b.mp4","duration":1,"file_size":1})";
  Headers key{{"Idempotency-Key", "order 66 ~"}};
  auto first = post("/api/segments", body, "alice", key);
  ASSERT_EQ(first.status, 201);
  auto again = post("/api/segments", body, "alice", key);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("ETag"), first.header("ETag"));
  EXPECT_EQ(again.header("Location"), first.header("Location"));
  EXPECT_EQ(post("/api/segments", body.substr(0, body.size() - 2) + "2}", "alice", key).status, 409);
  EXPECT_EQ(get("/api/segments")["total_count"].as_int64(), 1);
  for (const std::string& bad :
       {std::string(), std::string(256, 'x'), std::string("a\tb"), std::string("ä")}) {
    auto answer = post("/api/segments", body, "alice", {{"Idempotency-Key", bad}});
    EXPECT_EQ(answer.status, 422);
    EXPECT_TRUE(answer.has_fault("Idempotency-Key"));
  }
  EXPECT_EQ(post("/api/segments", body, "alice", {{"Idempotency-Key", std::string(255, 'x')}}).status, 201);

  std::set<std::string> ids;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&] {
      auto answer = post("/api/segments", body, "alice", {{"Idempotency-Key", "at once"}});
      std::lock_guard lock(mutex);
      ids.insert(answer.status == 201 ? answer.text("segment_id") : "failed");
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), 1u);
}

std::string body_with_key(const std::string& video_id, const std::string& key) {
  return R"({"segment_type":"processed","segment_number":1,"duration":1,"file_size":1,"video_id":")" +
         video_id + R"(","s3_key":")" + key + "\"}";
}

// What lies under a video's key is its owner's; under an id without an owner it is nobody's.
TEST_F(Segments, KeysOfVideosThatAreNobodysAreRefusedAsThoseOfOthers) {
  create_segment("bob", "bobs");
  create_segment("alice", "hers");
  for (const char* folder : {"uploads/", "processed/", "thumbnails/", "audio/"}) {
    for (const char* id : {"nobodys", "bobs"}) {
      put_object(folder + std::string(id) + "/a.mp4", "not hers");
      for (const char* video_id : {"hers", "unused"}) {
        auto refused = post("/api/segments", body_with_key(video_id, folder + std::string(id) + "/a.mp4"));
        EXPECT_EQ(refused.status, 422) << folder << id;
        EXPECT_EQ(refused.faults(), std::vector<std::string>{"/s3_key format"});
        EXPECT_EQ(refused.text("detail"), "The key belongs to a video that is not yours.")
            << "for either alike";
      }
    }
    EXPECT_EQ(post("/api/segments", body_with_key("bobs", std::string(folder) + "bobs/a.mp4")).status, 422);
    // Her own: of another video, of this one, of one that begins with this segment.
    EXPECT_EQ(post("/api/segments", body_with_key("other", std::string(folder) + "hers/a.mp4")).status, 201);
    EXPECT_EQ(post("/api/segments", body_with_key("hers", std::string(folder) + "hers/a.mp4")).status, 201);
    const std::string fresh = "new" + std::string(folder, 3);
    EXPECT_EQ(post("/api/segments", body_with_key(fresh, folder + fresh + "/a.mp4")).status, 201);
  }
  EXPECT_EQ(services().videos.find_owner("nobodys"), std::nullopt);
  EXPECT_EQ(services().videos.find_owner("unused"), std::nullopt);
  EXPECT_EQ(post("/api/segments", body_with_key("hers", "elsewhere/a.mp4")).status, 201);
}

TEST_F(Segments, ARecordIsNoWayToMediaThatIsNotItsOwners) {
  create_segment("bob", "bobs");
  create_segment("alice", "hers");
  int number = 100;
  // As a record stored before keys were checked.
  auto plant = [&](const std::string& key) {
    put_object(key, "bytes");
    Segment segment;
    segment.segment_id = make_numbered_segment_id("planted", ++number);
    segment.video_id = "planted";
    segment.user_id = "alice";
    segment.segment_number = number;
    segment.s3_key = key;
    segment.created_at = segment.updated_at = now_text();
    EXPECT_EQ(services().segments.create_segment(segment).kind, CreateOutcome::Kind::created);
    return "/api/segments/" + segment.segment_id;
  };
  for (const char* key : {"processed/bobs/a.mp4", "uploads/nobodys/a.mp4"}) {
    std::string path = plant(key);
    EXPECT_EQ(get(path + "/download").status, 404) << key;
    EXPECT_EQ(post(path + "/download", "").status, 404) << key;
    EXPECT_EQ(get(path + "/play").status, 404) << key;
    EXPECT_EQ(get(path)["download_count"].as_int64(), 0);
  }
  for (const char* key : {"processed/planted/a.mp4", "uploads/hers/a.mp4", "elsewhere/a.mp4"}) {
    std::string path = plant(key);
    EXPECT_EQ(get(path + "/download").status, 200) << key;
    EXPECT_EQ(get(path + "/play").status, 200) << key;
  }
}

class TrustedSegments : public TrustedApiTest {};

TEST_F(TrustedSegments, TakeAndShowAnyKeyWhereNoOwnershipIsChecked) {
  create_segment("bob", "bobs");
  for (const char* key : {"processed/bobs/a.mp4", "uploads/nobodys/a.mp4"}) {
    auto created = post("/api/segments", body_with_key("mine", key), "");
    ASSERT_EQ(created.status, 201) << created.body;
    EXPECT_EQ(get("/api/segments/" + created.text("segment_id") + "/download", "").status, 200) << key;
    EXPECT_EQ(get("/api/segments/" + created.text("segment_id") + "/play", "").status, 200) << key;
  }
}

class Lists : public ApiTest {
 protected:
  // Rows that collide in every key, so that ties are common.
  void SetUp() override {
    static const char* titles[] = {"Beta", "alpha", "ÄRA", "beta", ""};
    for (int i = 0; i < 23; ++i) {
      std::string more = "\"tags\":[\"t" + std::to_string(i % 3) + "\",\"all\"]";
      if (i % 5 < 4) more += ",\"title\":\"" + std::string(titles[i % 5]) + "\"";
      auto answer =
          post("/api/segments", R"({"video_id":"v)" + std::to_string(i % 4) + R"(","segment_type":")" +
                                    (i % 6 ? "processed" : "audio") + R"(","segment_number":)" +
                                    std::to_string(i % 7) + R"(,"s3_key":"x/f)" + std::to_string(i % 6) +
                                    R"(.mp4","duration":)" + std::to_string(i % 5) + R"(.5,"file_size":)" +
                                    std::to_string(1'000 * (i % 4)) + "," + more + "}");
      ASSERT_EQ(answer.status, 201) << answer.body;
      if (i % 3 == 0) get("/api/segments/" + answer.text("segment_id") + "/download");
      if (i % 4 == 0)
        post("/api/segments/" + answer.text("segment_id") + "/social-media-usage",
             R"({"platform":"tiktok","post_data":{"views":10}})");
    }
    create_segment("bob", "w1");
  }
  std::vector<std::string> ids_of(const Answer& answer) {
    std::vector<std::string> ids;
    for (const auto& segment : answer["segments"].as_array())
      ids.emplace_back(segment.at("segment_id").as_string());
    return ids;
  }
};

TEST_F(Lists, TagsThatHoldCommasAreFoundWhereTheyAreRepeated) {
  for (int i = 1; i <= 3; ++i)
    create_segment("carol", "c1", i, i == 3 ? R"("tags":["a","b"])" : R"("tags":["a,b","c"])");
  auto found = [&](const std::string& tags) {
    return ids_of(get("/api/segments?order=asc&sort_by=segment_number&" + tags, "carol")).size();
  };
  EXPECT_EQ(found("tags=a,b"), 1u) << "once, it is a list";
  EXPECT_EQ(found("tags=a%2Cb"), 1u) << "as the page's own encoding writes it";
  EXPECT_EQ(found("tags=a,b&tags="), 2u);
  EXPECT_EQ(found("tags=c&tags=a%2Cb"), 2u);
  EXPECT_EQ(found("tags=a&tags=b"), 1u);
  EXPECT_EQ(found("tags=&tags="), 3u);
  EXPECT_EQ(get("/api/segments?tags=a&tags=a%07", "carol").status, 422);
  // The rest of the list is found by the same rule.
  auto first = get("/api/segments?limit=1&tags=a,b&tags=", "carol");
  ASSERT_TRUE(first["has_more"].as_bool());
  std::string next = first.header("Link");
  next = next.substr(next.find("/api/"), next.find('>') - next.find("/api/"));
  auto second = get(next, "carol");
  EXPECT_EQ(second["total_count"].as_int64(), 2);
  EXPECT_EQ(ids_of(second).size(), 1u);
  EXPECT_NE(ids_of(second), ids_of(first));
}

TEST_F(Lists, EveryOrderByCursorAndByOffsetGivesEachSegmentOnceInOrder) {
  std::map<std::string, SegmentOrder> orders{{"created_at", SegmentOrder::created_at},
                                             {"date", SegmentOrder::created_at},
                                             {"duration", SegmentOrder::duration},
                                             {"file_size", SegmentOrder::file_size},
                                             {"size", SegmentOrder::file_size},
                                             {"name", SegmentOrder::name},
                                             {"title", SegmentOrder::title},
                                             {"filename", SegmentOrder::filename},
                                             {"download_count", SegmentOrder::download_count},
                                             {"downloads", SegmentOrder::download_count},
                                             {"segment_number", SegmentOrder::segment_number}};
  for (const auto& [name, order] : orders)
    for (const char* direction : {"asc", "desc"}) {
      std::string base = "/api/segments?sort_by=" + name + "&order=" + direction;
      auto whole = ids_of(get(base + "&limit=200"));
      ASSERT_EQ(std::set<std::string>(whole.begin(), whole.end()).size(), 23u) << base;

      std::vector<std::string> by_offset, by_page, by_cursor;
      for (int offset = 0; offset < 28; offset += 5) {
        auto page = get(base + "&limit=5&offset=" + std::to_string(offset));
        EXPECT_EQ(page["total_count"].as_int64(), 23);
        EXPECT_EQ(page["page_size"].as_int64(), static_cast<std::int64_t>(ids_of(page).size()));
        EXPECT_EQ(page["has_more"].as_bool(), offset + 5 < 23);
        for (auto& id : ids_of(page)) by_offset.push_back(id);
        for (auto& id : ids_of(get(base + "&page_size=5&page=" + std::to_string(offset / 5 + 1))))
          by_page.push_back(id);
      }
      std::string cursor;
      std::int64_t number = 0;
      do {
        auto page = get(base + "&limit=5" + (cursor.empty() ? "" : "&cursor=" + cursor));
        ASSERT_EQ(page.status, 200) << page.body;
        EXPECT_EQ(page["page"].as_int64(), ++number);
        EXPECT_EQ(page["total_count"].as_int64(), 23);
        for (auto& id : ids_of(page)) by_cursor.push_back(id);
        cursor = page["next_cursor"].is_null() ? "" : page.text("next_cursor");
        EXPECT_EQ(page.header("Link").empty(), cursor.empty());
      } while (!cursor.empty() && number < 20);
      EXPECT_EQ(by_offset, whole) << base;
      EXPECT_EQ(by_page, whole) << base;
      EXPECT_EQ(by_cursor, whole) << base;
    }
}

TEST_F(Lists, OrdersAreWhatTheyAreCalled) {
  auto numbers = [&](const char* query, const char* member) {
    std::vector<double> values;
    auto answer = get(std::string("/api/segments?limit=200&") + query);
    for (const auto& segment : answer["segments"].as_array())
      values.push_back(segment.at(member).to_number<double>());
    return values;
  };
  for (auto [query, member] : std::initializer_list<std::pair<const char*, const char*>>{
           {"sort_by=duration&order=asc", "duration"},
           {"sort_by=size&sort_order=asc", "file_size"},
           {"sort_by=downloads&order=asc&sort_order=desc", "download_count"},
           {"sort_by=segment_number&order=asc", "segment_number"}}) {
    auto values = numbers(query, member);
    EXPECT_EQ(values.size(), 23u);
    EXPECT_TRUE(std::ranges::is_sorted(values)) << query;
  }
  auto newest = ids_of(get("/api/segments?limit=200"));
  EXPECT_EQ(newest, ids_of(get("/api/segments?sort_by=date&order=desc&limit=200")));
}

TEST_F(Lists, TheLinkLeadsToTheNextPage) {
  auto first = get("/api/segments?limit=5&sort_by=name&search=f&tags=all,t1");
  std::string link = first.header("Link");
  ASSERT_TRUE(link.starts_with("<http://api.example:8000/api/segments?") && link.ends_with(">; rel=\"next\""))
      << link;
  constexpr std::size_t origin = std::string_view("<http://api.example:8000").size();
  auto second = get(link.substr(origin, link.find('>') - origin));
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(second["page"].as_int64(), 2);
  auto all = ids_of(first);
  for (const auto& id : ids_of(second)) all.push_back(id);
  EXPECT_EQ(all, ids_of(get("/api/segments?limit=50&sort_by=name&search=f&tags=all,t1")));
  EXPECT_EQ(second.header("Link"), "");
}

TEST_F(Lists, ACursorServesItsOwnListAlone) {
  std::string cursor = get("/api/segments?limit=5&tags=all").text("next_cursor");
  EXPECT_EQ(get("/api/segments?limit=7&tags=all&cursor=" + cursor).status, 200);
  auto refused = [&](const std::string& target, const std::string& user = "alice") {
    auto answer = get(target, user);
    EXPECT_EQ(answer.status, 400) << target;
    EXPECT_TRUE(answer.has_fault("cursor")) << target;
  };
  refused("/api/segments?limit=5&cursor=" + cursor);
  refused("/api/segments?limit=5&tags=all&order=asc&cursor=" + cursor);
  refused("/api/segments?limit=5&tags=all,t1&cursor=" + cursor);
  refused("/api/segments?limit=5&tags=all&cursor=" + cursor, "bob");
  refused("/api/segments?limit=5&tags=all&cursor=" + cursor + "A");
  refused("/api/segments?limit=5&tags=all&cursor=" + std::string(cursor[0] == 'A' ? "B" : "A") +
          cursor.substr(1));
  refused("/api/segments?cursor=%F0%9F%98%80");
  EXPECT_EQ(get("/api/segments?tags=all&offset=5&cursor=" + cursor).status, 422);
}

TEST_F(Lists, FiltersAreHonouredAndEmptyOnesAreAbsent) {
  auto count = [&](const std::string& query) {
    return get("/api/segments?" + query)["total_count"].as_int64();
  };
  EXPECT_EQ(count("video_id=v1"), 6);
  EXPECT_EQ(count("video_id=w1"), 0);  // another user's
  EXPECT_EQ(count("segment_type=audio"), 4);
  EXPECT_EQ(count("min_duration=4.5"), 4);
  EXPECT_EQ(count("max_duration=0.5"), 5);
  EXPECT_EQ(count("min_duration=0&max_duration=1"), 5);
  EXPECT_EQ(count("min_downloads=1"), 8);
  EXPECT_EQ(count("min_downloads=0"), 23);
  EXPECT_EQ(count("tags=t1"), 8);
  EXPECT_EQ(count("tags=t1,%20all"), 8);
  EXPECT_EQ(count("tags=t1,t2"), 0);
  EXPECT_EQ(count("has_social_media=true"), 6);
  EXPECT_EQ(count("has_social_media=false"), 17);
  EXPECT_EQ(count("platform=tiktok"), 6);
  EXPECT_EQ(count("platform=youtube"), 0);
  EXPECT_EQ(count("search=ALPHA"), 5);
  EXPECT_EQ(count("search=%C3%A4ra"), 5);
  EXPECT_EQ(count("search=F1.MP4"), 4);
  EXPECT_EQ(count("search=%25"), 0);
  EXPECT_EQ(count("created_after=2020-01-01"), 23);
  EXPECT_EQ(count("created_before=2020-01-01"), 0);
  EXPECT_EQ(count("min_duration=&max_duration=&min_downloads=&search=&tags=&sort_by=&order=&cursor=&video_id="
                  "&platform=&limit=&offset="),
            23);
  EXPECT_EQ(get("/api/segments?limit=999")["page_size"].as_int64(), 23);
}

TEST_F(Lists, AVideosSegmentsComeByNumber) {
  auto answer = get("/api/videos/v1/segments");
  std::vector<std::int64_t> numbers;
  for (const auto& segment : answer["segments"].as_array())
    numbers.push_back(segment.at("segment_number").as_int64());
  EXPECT_EQ(numbers.size(), 6u);
  EXPECT_TRUE(std::ranges::is_sorted(numbers));
  EXPECT_EQ(get("/api/videos/v0/segments?segment_type=audio")["total_count"].as_int64(), 2);
  EXPECT_EQ(get("/api/videos/none/segments").status, 404);
  EXPECT_EQ(get("/api/videos/w1/segments").status, 404);
}

}  // namespace
}  // namespace segments::testing
