// Posts, their syncs and what they add up to.
#include "api/fixture.h"
#include "model/social_media.h"
#include "social/simulator.h"

namespace segments::testing {
namespace {

class Social : public ApiTest {
 protected:
  void SetUp() override { path_ = "/api/segments/" + create_segment(); }
  Answer link(const std::string& body, const std::string& query = "") {
    return post(path_ + "/social-media" + query, body);
  }
  std::int64_t queued() {
    std::int64_t count = 0;
    for (const auto& entry : services().queue.health().counts) count += entry.count;
    return count;
  }
  std::string path_;
};

TEST_F(Social, LinkingByIdDerivesTheAddressAndQueuesASync) {
  auto answer =
      link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ","posted_at":"2026-01-02T03:04:05+02:00"})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto& usage = answer["social_media_usage"].at(0);
  EXPECT_EQ(usage.at("post_id").as_string(), "dQw4w9WgXcQ");
  EXPECT_EQ(usage.at("post_url").as_string(), make_post_url(SocialMediaPlatform::youtube, "dQw4w9WgXcQ"));
  EXPECT_EQ(usage.at("posted_at").as_string(), "2026-01-02T01:04:05.000Z");
  EXPECT_EQ(usage.at("views").as_int64(), 0);
  EXPECT_TRUE(usage.at("engagement_rate").is_null());
  EXPECT_TRUE(usage.at("last_synced").is_null());
  EXPECT_EQ(usage.at("source").as_string(), "simulated") << "what will be read is known already";
  EXPECT_EQ(boost::json::serialize(usage.at("unreported")), R"(["views","likes","shares","comments"])");
  const auto analytics = get(path_ + "/analytics");
  EXPECT_EQ(boost::json::serialize(analytics["platform_breakdown"].at(0).at("sources")), R"(["simulated"])");
  EXPECT_EQ(analytics["platform_breakdown"].at(0).at("unreported").as_array().size(), 4u);
  EXPECT_EQ(analytics["total_views"].as_int64(), 0);
  EXPECT_TRUE(analytics["average_engagement_rate"].is_null());
  EXPECT_TRUE(analytics["top_performing_platform"].is_null());
  auto task = get("/api/tasks/" + answer.header("X-Task-Id"));
  ASSERT_EQ(task.status, 200);
  EXPECT_EQ(task.text("name"), "tasks.sync_social_media_metrics_task");
  EXPECT_EQ(task.text("status"), "PENDING");
  EXPECT_EQ(get("/api/tasks/" + answer.header("X-Task-Id"), "bob").status, 404);
  auto leased = services().queue.lease_tasks("worker", 10, 60'000);
  ASSERT_EQ(leased.size(), 1u);
  EXPECT_EQ(leased[0].arguments,
            "{\"segment_id\":\"" + answer.text("segment_id") + "\",\"platform\":\"youtube\"}");
  EXPECT_EQ(leased[0].max_retries, 5);
  EXPECT_EQ(leased[0].time_limit_s, 600);
}

TEST_F(Social, LinkingByAddressDerivesTheIdAndTwiceIsOnce) {
  link(R"({"platform":"youtube","post_url":"https://youtu.be/dQw4w9WgXcQ?si=x"})");
  auto twice = link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})");
  ASSERT_EQ(twice["social_media_usage"].as_array().size(), 1u);
  EXPECT_EQ(twice["social_media_usage"].at(0).at("post_id").as_string(), "dQw4w9WgXcQ");
  link(
      R"({"platform":"youtube","post_url":"https://www.youtube.com/shorts/AAAAAAAAAAA","post_id":"AAAAAAAAAAA"})");
  EXPECT_EQ(
      link(R"({"platform":"tiktok","post_url":"https://www.tiktok.com/@someone/video/7123456789012345678"})")
          ["social_media_usage"]
              .as_array()
              .size(),
      3u);
}

TEST_F(Social, WaitingInVainNamesTheTaskThatGoesOnTrying) {
  // A platform that answers nothing but this.
  auto link_where = [&](const char* faults) {
    services().platforms = make_simulated_platforms(parse_simulator_faults(faults));
    return link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})", "?wait=true");
  };
  for (const char* faults : {"unavailable=1", "rate_limit=1"}) {
    auto answer = link_where(faults);
    EXPECT_EQ(answer.status, 503) << answer.body;
    EXPECT_GE(std::stoi(answer.header("Retry-After")), 1);
    const std::string task_id = answer.header("X-Task-Id");
    EXPECT_NE(answer.text("detail").find("task " + task_id), std::string::npos);
    EXPECT_EQ(get("/api/tasks/" + task_id).text("name"), "tasks.sync_social_media_metrics_task");
    EXPECT_EQ(get(path_)["social_media_usage"].as_array().size(), 1u);
  }
  EXPECT_EQ(queued(), 2);
  // What will never be read is left to no task.
  for (const char* faults : {"not_found=1", "forbidden=1"}) {
    auto answer = link_where(faults);
    EXPECT_EQ(answer.status, 409) << faults;
    EXPECT_EQ(answer.header("X-Task-Id"), "");
  }
  EXPECT_EQ(queued(), 2);
}

TEST_F(Social, LinkingAgainFillsInWhenItWasPosted) {
  link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})");
  auto again = link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ","posted_at":"2026-01-02T03:04:05Z"})");
  EXPECT_EQ(again["social_media_usage"].at(0).at("posted_at").as_string(), "2026-01-02T03:04:05.000Z");
  auto third =
      link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ","posted_at":"2025-01-01"})", "?wait=true");
  const auto& usage = third["social_media_usage"].at(0);
  EXPECT_EQ(usage.at("posted_at").as_string(), "2026-01-02T03:04:05.000Z") << "what is known stays";
  EXPECT_EQ(boost::json::serialize(usage.at("unreported")), R"(["shares"])") << "as YouTube has it";
  link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})");
  EXPECT_EQ(get(path_)["social_media_usage"].at(0).at("views"), usage.at("views"))
      << "nor does it forget counts";
}

TEST_F(Social, WaitingSyncsBeforeTheAnswerAndMarksWhatIsSimulated) {
  auto answer =
      link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ","posted_at":"2026-01-01"})", "?wait=true");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("X-Task-Id"), "");
  const auto& usage = answer["social_media_usage"].at(0);
  EXPECT_GT(usage.at("views").as_int64(), 0);
  EXPECT_EQ(usage.at("source").as_string(), "simulated");
  EXPECT_FALSE(usage.at("last_synced").is_null());
  EXPECT_EQ(queued(), 0);
  // Without a post: what is linked is synced.
  EXPECT_EQ(link(R"({"platform":"youtube"})", "?wait=true").status, 200);
  auto history = get(path_ + "/social-media/history");
  ASSERT_EQ(history["history"].as_array().size(), 2u);
  EXPECT_EQ(history["history"].at(0).at("post_id").as_string(), "dQw4w9WgXcQ");
  EXPECT_EQ(get(path_ + "/social-media/history?limit=1")["history"].as_array().size(), 1u);
  std::string metrics = call("GET", "/metrics", "", "").body;
  EXPECT_NE(metrics.find("segments_social_sync_total{platform=\"youtube\",outcome=\"ok\"} 2"),
            std::string::npos)
      << metrics;
  auto analytics = get(path_ + "/analytics");
  EXPECT_EQ(analytics["total_views"].as_int64(), usage.at("views").as_int64());
  EXPECT_EQ(analytics.text("top_performing_platform"), "youtube");
}

TEST_F(Social, AnEditorsVersionOutlivesSyncs) {
  std::string etag = get(path_).header("ETag");
  link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})", "?wait=true");
  EXPECT_EQ(put(path_, R"({"title":"x"})", "alice", {{"If-Match", etag}}).status, 200);
}

TEST_F(Social, AnalyticsWithoutPostsAreZeros) {
  auto answer = get(path_ + "/analytics");
  EXPECT_EQ(answer.status, 200);
  for (const char* name :
       {"total_views", "total_likes", "total_shares", "total_comments", "total_engagement"})
    EXPECT_EQ(answer[name].as_int64(), 0) << name;
  EXPECT_TRUE(answer["platform_breakdown"].as_array().empty());
  EXPECT_TRUE(answer["top_performing_platform"].is_null());
  EXPECT_TRUE(answer["last_updated"].is_null());
}

TEST_F(Social, ReportedCountsAreKeptOnceForAPlatform) {
  std::string route = path_ + "-usage";
  route = path_ + "/social-media-usage";
  std::string id = path_.substr(path_.rfind('/') + 1);
  auto first = post(
      route, R"({"segment_id":")" + id +
                 R"(","platform":"instagram","post_data":{"views":200,"likes":10,"shares":5,"comments":5}})");
  ASSERT_EQ(first.status, 200) << first.body;
  auto again =
      post(route, R"({"platform":"instagram","post_data":{"views":400,"likes":10,"shares":5,"comments":5}})");
  ASSERT_EQ(again["social_media_usage"].as_array().size(), 1u);
  const auto& usage = again["social_media_usage"].at(0);
  EXPECT_EQ(usage.at("views").as_int64(), 400);
  EXPECT_EQ(usage.at("source").as_string(), "reported");
  EXPECT_EQ(usage.at("engagement_rate").to_number<double>(), 5.0);
  EXPECT_EQ(usage.at("post_id").as_string(), "reported:instagram");
  EXPECT_EQ(get(path_ + "/analytics")["total_views"].as_int64(), 400);

  auto with_post = post(
      route,
      R"({"platform":"youtube","post_data":{"post_id":"dQw4w9WgXcQ","views":7,"posted_at":"2026-02-03T00:00:00Z"}})");
  EXPECT_EQ(with_post["social_media_usage"].as_array().size(), 2u);
  auto about_it = post(route, R"({"platform":"youtube","post_data":{"views":9}})");
  EXPECT_EQ(about_it["social_media_usage"].as_array().size(), 2u);
  EXPECT_EQ(about_it["social_media_usage"].at(1).at("views").as_int64(), 9);
  auto bare = post(route, R"({"platform":"facebook"})");
  ASSERT_EQ(bare["social_media_usage"].as_array().size(), 3u);
  EXPECT_EQ(bare["social_media_usage"].at(2).at("source").as_string(), "reported");
  EXPECT_EQ(bare["social_media_usage"].at(2).at("unreported").as_array().size(), 4u);
  EXPECT_EQ(queued(), 0);
}

TEST_F(Social, ASegmentHasAHundredPostsAtMost) {
  auto id_of = [](int i) { return "dQw4w9Wg" + std::to_string(100 + i); };
  for (int i = 0; i < 99; ++i)
    ASSERT_EQ(link(R"({"platform":"youtube","post_id":")" + id_of(i) + "\"}").status, 200) << i;
  const std::string report = path_ + "/social-media-usage";
  ASSERT_EQ(post(report, R"({"platform":"tiktok","post_data":{"views":1}})").status, 200);

  auto refused = link(R"({"platform":"youtube","post_id":")" + id_of(99) + "\"}");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.faults(), std::vector<std::string>{"/post_id length"});
  EXPECT_TRUE(
      link(R"({"platform":"youtube","post_url":"https://youtu.be/AAAAAAAAAAA"})").has_fault("/post_url"));
  EXPECT_TRUE(post(report, R"({"platform":"tiktok","post_data":{"post_id":"7123456789012345678"}})")
                  .has_fault("/post_data"));
  EXPECT_EQ(get(path_)["social_media_usage"].as_array().size(), 100u);

  // What is linked can be linked, synced and reported again; one that goes makes room.
  EXPECT_EQ(link(R"({"platform":"youtube","post_id":")" + id_of(7) + "\"}").status, 200);
  EXPECT_EQ(link(R"({"platform":"youtube"})").status, 200);
  EXPECT_EQ(post(report, R"({"platform":"tiktok","post_data":{"views":2}})").status, 200);
  EXPECT_EQ(remove(path_ + "/social-media/youtube?post_id=" + id_of(0)).status, 200);
  EXPECT_EQ(link(R"({"platform":"youtube","post_id":")" + id_of(99) + "\"}").status, 200);
}

TEST_F(Social, UnlinkingKeepsTheHistory) {
  link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})", "?wait=true");
  link(R"({"platform":"youtube","post_id":"AAAAAAAAAAA"})", "?wait=true");
  auto one = remove(path_ + "/social-media/youtube?post_id=AAAAAAAAAAA");
  EXPECT_EQ(one["unlinked"].as_int64(), 1);
  EXPECT_EQ(get(path_)["social_media_usage"].as_array().size(), 1u);
  EXPECT_EQ(remove(path_ + "/social-media/youtube?post_id=AAAAAAAAAAA").status, 404);
  EXPECT_EQ(remove(path_ + "/social-media/youtube")["unlinked"].as_int64(), 1);
  EXPECT_EQ(remove(path_ + "/social-media/youtube").status, 404);
  EXPECT_EQ(get(path_ + "/social-media/history")["history"].as_array().size(), 2u);
}

TEST_F(Social, ABatchIsQueuedAndItsTaskIsTheUsersOwn) {
  auto answer = post("/api/social-media/sync", R"({"platforms":["tiktok","youtube"]})");
  ASSERT_EQ(answer.status, 202);
  EXPECT_EQ(answer.text("status"), "PENDING");
  EXPECT_EQ(answer.header("Location"), "/api/tasks/" + answer.text("task_id"));
  EXPECT_EQ(get(answer.header("Location")).text("name"), "tasks.batch_sync_social_media_task");
  EXPECT_EQ(get(answer.header("Location"), "bob").status, 404);
  EXPECT_EQ(call("POST", "/api/social-media/sync").status, 202);  // without a body: all platforms
  auto leased = services().queue.lease_tasks("worker", 10, 60'000);
  ASSERT_EQ(leased.size(), 2u);
  EXPECT_EQ(leased[0].arguments, R"({"user_id":"alice","platforms":["tiktok","youtube"]})");
  EXPECT_EQ(leased[0].max_retries, 3);
  EXPECT_EQ(leased[0].time_limit_s, 3600);
  EXPECT_EQ(leased[1].arguments, R"({"user_id":"alice","platforms":null})");
}

TEST_F(Social, SyncsAreLimitedByUser) {
  settings_.social_syncs_per_minute = 3;
  rebuild();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(link(R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})").status, 200);
  auto answer = link(R"({"platform":"youtube","post_id":"AAAAAAAAAAA"})");
  EXPECT_EQ(answer.status, 429);
  EXPECT_GE(std::stoi(answer.header("Retry-After")), 1);
  EXPECT_EQ(get(path_)["social_media_usage"].as_array().size(), 1u);
  EXPECT_EQ(post("/api/social-media/sync", "{}").status, 429);
  EXPECT_EQ(post("/api/social-media/sync", "{}", "bob").status, 202);
}

}  // namespace
}  // namespace segments::testing
