#include <boost/json.hpp>
#include <set>

#include "tasks/batch_sync_social_media.h"
#include "tasks/run_task.h"
#include "tasks/sync_social_media_metrics.h"
#include "tasks/test_world.h"

namespace segments::testing {
namespace {

constexpr const char* sync_one = "tasks.sync_social_media_metrics_task";
constexpr const char* sync_all = "tasks.batch_sync_social_media_task";

// A platform whose posts answer as the test says; others have ten views.
class ScriptedPlatform : public Platform {
 public:
  std::map<std::string, Error> errors;
  std::vector<std::string> asked;

  MetricsSource source() const override { return MetricsSource::platform; }
  MetricsReading read_metrics(const PostReference& post) override {
    asked.push_back(post.post_id);
    if (auto found = errors.find(post.post_id); found != errors.end()) throw found->second;
    MetricsReading reading;
    reading.views = 10;
    reading.likes = 1;
    reading.read_at = now_text();
    return reading;
  }
};

class SyncTest : public WorldTest {
 protected:
  SyncTest() {
    auto platform = std::make_unique<ScriptedPlatform>();
    tiktok = platform.get();
    world.platforms[SocialMediaPlatform::tiktok] = std::move(platform);
  }
  std::string create(int number, const std::string& user = "alice") {
    Segment segment = make_segment(number, user);
    world.services.segments.create_segment(segment);
    return segment.segment_id;
  }
  void link(const std::string& id, SocialMediaPlatform platform, const std::string& post_id) {
    SocialMediaUsage usage;
    usage.platform = platform;
    usage.post_id = post_id;
    usage.posted_at = "2026-01-01T00:00:00.000Z";
    ASSERT_EQ(world.services.segments.link_post(id, "", usage), LinkOutcome::linked);
  }
  std::vector<SocialMediaUsage> usages(const std::string& id) {
    return world.services.segments.find_segment(id)->segment.social_media_usage;
  }
  boost::json::value sync(const std::string& id, const char* platform = "tiktok", int retries = 0) {
    return boost::json::parse(world.run(
        sync_one, R"({"segment_id":")" + id + R"(","platform":")" + platform + "\"}", "s", retries));
  }
  ErrorKind kind_of_sync(const std::string& id, int retries = 0) {
    try {
      sync(id, "tiktok", retries);
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorKind::internal;
  }
  std::int64_t attempts(const std::string& outcome, const std::string& platform = "tiktok") {
    return world.total("social_sync_total{platform=\"" + platform + "\",outcome=\"" + outcome + "\"}");
  }

  ScriptedPlatform* tiktok;
};

TEST_F(SyncTest, ReadsEveryPostOfThePlatformAndKeepsTheReadings) {
  auto id = create(1);
  link(id, SocialMediaPlatform::tiktok, "a");
  link(id, SocialMediaPlatform::tiktok, "b");
  link(id, SocialMediaPlatform::youtube, "c");
  auto result = sync(id);
  EXPECT_EQ(result.at("posts").as_int64(), 2);
  EXPECT_EQ(result.at("synced").as_int64(), 2);
  EXPECT_EQ(tiktok->asked, (std::vector<std::string>{"a", "b"}));
  for (const auto& usage : usages(id)) {
    EXPECT_EQ(usage.views, usage.platform == SocialMediaPlatform::tiktok ? 10 : 0);
    EXPECT_EQ(usage.last_synced.has_value(), usage.platform == SocialMediaPlatform::tiktok);
  }
  EXPECT_EQ(world.services.segments.list_history(id, 10).size(), 2u);
  EXPECT_EQ(attempts("ok"), 2);
}

TEST_F(SyncTest, SimulatedPlatformMarksItsCounts) {
  auto id = create(1);
  link(id, SocialMediaPlatform::youtube, "dQw4w9WgXcQ");
  sync(id, "youtube");
  auto usage = usages(id).at(0);
  EXPECT_EQ(usage.source, MetricsSource::simulated);
  EXPECT_EQ(usage.unreported, std::vector<std::string>{"shares"});
  EXPECT_GT(usage.views, 0);
}

TEST_F(SyncTest, SegmentWithoutPostsThereIsNoError) {
  EXPECT_EQ(sync(create(1)).at("posts").as_int64(), 0);
  EXPECT_EQ(kind_of_sync("seg_absent_001"), ErrorKind::not_found);
  EXPECT_THROW(sync(create(2), "myspace"), Error);
}

TEST_F(SyncTest, RateLimitIsTriedAgainWithItsHint) {
  auto id = create(1);
  link(id, SocialMediaPlatform::tiktok, "a");
  link(id, SocialMediaPlatform::tiktok, "b");
  tiktok->errors.emplace("a", Error(ErrorKind::rate_limited, "Slow down.", {}, 77));
  auto outcome = run_task({.id = "t",
                           .name = sync_one,
                           .arguments = R"({"segment_id":")" + id + R"(","platform":"tiktok"})",
                           .user_id = "alice"},
                          world.services, (folder.path / "w").string());
  EXPECT_EQ(outcome.ending, TaskEnding::retry);
  EXPECT_EQ(outcome.retry_after_s, 77);
  EXPECT_EQ(outcome.error, "Slow down.");
  EXPECT_EQ(tiktok->asked.size(), 1u) << "asking on would prolong the limit";
  EXPECT_EQ(attempts("rate_limited"), 1);
}

TEST_F(SyncTest, OnePostThatFailsForGoodDoesNotHideTheOthers) {
  auto id = create(1);
  link(id, SocialMediaPlatform::tiktok, "gone");
  link(id, SocialMediaPlatform::tiktok, "there");
  tiktok->errors.emplace("gone", Error(ErrorKind::not_found, "The post was deleted."));
  auto result = sync(id);
  EXPECT_EQ(result.at("synced").as_int64(), 1);
  EXPECT_EQ(result.at("failed").at(0).at("item"), "gone");
  EXPECT_EQ(result.at("failed").at(0).at("error"), "The post was deleted.");
  EXPECT_EQ(attempts("not_found"), 1);
  EXPECT_EQ(attempts("ok"), 1);
}

TEST_F(SyncTest, PassingFailureIsTriedAgainUntilTheLastRunThenToldInTheResult) {
  auto id = create(1);
  link(id, SocialMediaPlatform::tiktok, "weak");
  link(id, SocialMediaPlatform::tiktok, "there");
  tiktok->errors.emplace("weak", Error(ErrorKind::unavailable, "Not now."));
  EXPECT_EQ(kind_of_sync(id), ErrorKind::unavailable);
  EXPECT_EQ(usages(id)[1].views, 10) << "what was read is kept";
  auto result = sync(id, "tiktok", 3);
  EXPECT_EQ(result.at("synced").as_int64(), 1);
  EXPECT_EQ(result.at("failed").as_array().size(), 1u);
  tiktok->errors.emplace("there", Error(ErrorKind::unavailable, "Not now."));
  EXPECT_EQ(kind_of_sync(id, 3), ErrorKind::unavailable);
}

TEST_F(SyncTest, AllPostsGoneIsAFailure) {
  auto id = create(1);
  link(id, SocialMediaPlatform::tiktok, "a");
  tiktok->errors.emplace("a", Error(ErrorKind::forbidden, "The account may not read it."));
  EXPECT_EQ(kind_of_sync(id), ErrorKind::forbidden);
  EXPECT_EQ(attempts("forbidden"), 1);
}

TEST_F(SyncTest, WhatWasReadStandsWhereItsCountGetsNoAnswer) {
  auto id = create(1);
  link(id, SocialMediaPlatform::tiktok, "a");
  link(id, SocialMediaPlatform::tiktok, "b");
  world.totals.gives_answers = false;
  auto result = sync(id);
  EXPECT_EQ(result.at("synced").as_int64(), 2);
  EXPECT_TRUE(result.at("failed").as_array().empty());
  EXPECT_EQ(world.services.segments.list_history(id, 10).size(), 2u);
  EXPECT_EQ(attempts("ok"), 2) << "what may have been added is not added again";
  EXPECT_EQ(attempts("unavailable"), 0);
  // A run that its queue takes for lost is an attempt of its own.
  sync(id);
  EXPECT_EQ(attempts("ok"), 4);
}

TEST_F(SyncTest, WhatThePlatformSaysIsToldWhereItsCountGetsNoAnswer) {
  auto id = create(1);
  link(id, SocialMediaPlatform::tiktok, "gone");
  tiktok->errors.emplace("gone", Error(ErrorKind::not_found, "The post was deleted."));
  world.totals.gives_answers = false;
  EXPECT_EQ(kind_of_sync(id), ErrorKind::not_found) << "not one that would be tried again";
  EXPECT_EQ(attempts("not_found"), 1);
}

TEST_F(SyncTest, BatchQueuesOneTaskForEachSegmentAndPlatformOnce) {
  auto first = create(1), second = create(2), third = create(3);
  auto foreign = create(1, "bob");
  for (const auto& id : {first, second, foreign}) link(id, SocialMediaPlatform::tiktok, "t" + id);
  link(first, SocialMediaPlatform::tiktok, "another_post_of_the_same_platform");
  link(first, SocialMediaPlatform::youtube, "y");
  NewTask batch = make_task(sync_all, R"({"user_id":"alice"})", "alice");
  batch.id = "batch";
  world.services.queue.enqueue(batch);
  auto result = boost::json::parse(world.run(sync_all, batch.arguments, "batch"));
  EXPECT_EQ(result.at("segments").as_int64(), 2);
  EXPECT_EQ(result.at("tasks").as_int64(), 3);
  world.run(sync_all, batch.arguments, "batch");  // a run that is done again
  EXPECT_EQ(world.services.queue.find_task("batch")->children, 3);
  std::set<std::string> payloads;
  for (const auto& task : world.services.queue.lease_tasks("test", 100, 60'000)) {
    if (task.id == "batch") continue;
    EXPECT_EQ(task.name, sync_one);
    EXPECT_EQ(task.user_id, "alice");
    EXPECT_EQ(fault_of_id(task.id), nullptr);
    payloads.insert(task.arguments);
    world.run(sync_one, task.arguments, task.id);
  }
  EXPECT_EQ(payloads.size(), 3u);
  EXPECT_EQ(attempts("ok"), 3);
  EXPECT_EQ(attempts("ok", "youtube"), 1);
  world.run(sync_all, batch.arguments, "another batch");
  EXPECT_EQ(world.services.queue.lease_tasks("test", 100, 60'000).size(), 3u);
}

TEST_F(SyncTest, BatchOfSomePlatformsWalksAllPages) {
  for (int i = 1; i <= 430; ++i)
    link(create(i), i % 2 ? SocialMediaPlatform::tiktok : SocialMediaPlatform::youtube, "p");
  auto result =
      boost::json::parse(world.run(sync_all, R"({"user_id":"alice","platforms":["youtube"]})", "batch"));
  EXPECT_EQ(result.at("tasks").as_int64(), 215);
  EXPECT_THROW(world.run(sync_all, R"({"user_id":"alice","platforms":["myspace"]})"), Error);
}

TEST(RunTask, KindsDecideBetweenRetryAndFailure) {
  Folder folder;
  World world(folder.path);
  auto run = [&](const std::string& name, const std::string& arguments) {
    return run_task({.id = "t", .name = name, .arguments = arguments, .user_id = "alice"}, world.services,
                    (folder.path / "w").string());
  };
  EXPECT_EQ(run("tasks.nothing", "{}").ending, TaskEnding::failure);
  EXPECT_EQ(run(sync_one, "[").ending, TaskEnding::failure);
  auto several = run(sync_one, R"({"platform":"myspace"})");
  EXPECT_EQ(several.ending, TaskEnding::failure);
  EXPECT_NE(several.error.find("/segment_id"), std::string::npos) << several.error;
  EXPECT_NE(several.error.find("/platform"), std::string::npos) << several.error;
  EXPECT_EQ(run(sync_all, R"({"user_id":"alice"})").ending, TaskEnding::success);

  world.create_video("v1", sample_video(2));
  std::string process = R"({"s3_input_key":"uploads/v1/film.mov","job_id":"v1"})";
  for (auto kind : {ErrorKind::unavailable, ErrorKind::rate_limited, ErrorKind::internal}) {
    world.services.probe = [kind](const std::string&) -> MediaInfo { throw Error(kind, "secret detail"); };
    auto outcome = run("tasks.process_video_task", process);
    EXPECT_EQ(outcome.ending, TaskEnding::retry);
    EXPECT_EQ(outcome.error == "secret detail", kind != ErrorKind::internal);
  }
  world.services.probe = [](const std::string&) -> MediaInfo { throw std::runtime_error("secret detail"); };
  auto outcome = run("tasks.process_video_task", process);
  EXPECT_EQ(outcome.ending, TaskEnding::retry);
  EXPECT_EQ(outcome.error.find("secret"), std::string::npos);
}

TEST(RunTask, GivingUpNeverMindsArgumentsThatCannotBeRead) {
  Folder folder;
  World world(folder.path);
  LeasedTask task{.id = "t", .name = "tasks.process_video_task", .arguments = "[]", .user_id = "alice"};
  EXPECT_NO_THROW(give_up_task(task, world.services, "It failed.", false));
  task.name = "tasks.nothing";
  EXPECT_NO_THROW(give_up_task(task, world.services, "It failed.", false));
}

TEST(Registry, NamesParametersInTheirOrderAndLimits) {
  const auto* process = find_task_definition("tasks.process_video_task");
  ASSERT_TRUE(process);
  std::vector<std::string> names(process->parameters.begin(), process->parameters.end());
  EXPECT_EQ(names, (std::vector<std::string>{"s3_input_key", "job_id", "cutting_options", "text_strategy",
                                             "text_input", "user_id"}));
  EXPECT_EQ(task_definitions().size(), task_limits().size());
  for (const auto& definition : task_definitions()) EXPECT_TRUE(find_task_limits(definition.name));
  auto task = make_task("tasks.process_video_task", "{}", "alice");
  EXPECT_EQ(task.time_limit_s, 12 * 3600);
  EXPECT_EQ(task.max_retries, 3);
  EXPECT_EQ(task.user_id, "alice");
  EXPECT_THROW(make_task("tasks.nothing", "{}", "alice"), Error);
}

}  // namespace
}  // namespace segments::testing
