#include "tasks/periodic.h"

#include <map>
#include <set>
#include <thread>

#include "describe/decode.h"
#include "model/following.h"
#include "tasks/run_task.h"
#include "tasks/test_world.h"

namespace segments::testing {
namespace {

const auto always = [] { return true; };

class PeriodicTest : public WorldTest {
 protected:
  static constexpr Millis hour_ms = 3'600'000, day_ms = 24 * hour_ms;

  std::string create(int number, std::vector<SocialMediaUsage> posts, const std::string& user = "alice") {
    Segment segment = make_segment(number, user);
    segment.social_media_usage = std::move(posts);
    EXPECT_EQ(world.services.segments.create_segment(segment).kind, CreateOutcome::Kind::created);
    return segment.segment_id;
  }
  static SocialMediaUsage post(SocialMediaPlatform platform, const std::string& post_id,
                               Millis age_ms = 2 * hour_ms) {
    SocialMediaUsage usage;
    usage.platform = platform;
    usage.post_id = post_id;
    usage.posted_at = format_time(now_ms() - age_ms);
    return usage;
  }
  std::int64_t queue_syncs(Millis now, std::size_t most = most_syncs_of_a_round) {
    return queue_due_syncs(world.services, now, most, always);
  }
  std::vector<LeasedTask> lease(int most = 5'000) {
    return world.services.queue.lease_tasks("w", most, 600'000);
  }
  // As a worker does.
  void run_all() {
    for (const auto& task : lease()) {
      auto outcome = run_task(task, world.services, (folder.path / "w").string());
      if (outcome.ending == TaskEnding::success)
        world.services.queue.finish(task, outcome.result);
      else
        world.services.queue.fail(task, outcome.error);
    }
  }
  const Millis soon = now_ms() + 60'000;
};

TEST_F(PeriodicTest, QueuesOneSyncForEachSegmentAndPlatformThatIsDue) {
  using enum SocialMediaPlatform;
  auto first = create(1, {post(tiktok, "a"), post(tiktok, "b"), post(youtube, "dQw4w9WgXcQ")});
  auto second = create(1, {post(tiktok, "a")}, "bob");
  create(2, {});
  EXPECT_EQ(queue_syncs(now_ms()), 0) << "who links a post asks for its first reading itself";
  EXPECT_EQ(queue_syncs(soon), 3);
  EXPECT_EQ(queue_syncs(soon), 0);
  std::multiset<std::string> asked;
  auto tasks = lease();
  for (const auto& task : tasks) {
    EXPECT_EQ(task.name, sync_metrics_task);
    EXPECT_EQ(task.max_retries, 5);
    EXPECT_EQ(fault_of_id(task.id), nullptr);
    auto sync = decode<SyncMetrics>(task.arguments);
    asked.insert(task.user_id + " " + sync.segment_id + " " + name_of(sync.platform));
  }
  EXPECT_EQ(asked, (std::multiset<std::string>{"alice " + first + " tiktok", "alice " + first + " youtube",
                                               "bob " + second + " tiktok"}));
}

TEST_F(PeriodicTest, FollowsAPostThroughItsAges) {
  auto id = create(1, {post(SocialMediaPlatform::youtube, "dQw4w9WgXcQ", 2 * hour_ms)});
  EXPECT_EQ(queue_syncs(soon), 1);
  run_all();
  EXPECT_EQ(world.services.segments.list_history(id, 10).size(), 1u);
  EXPECT_EQ(queue_syncs(soon + hour_ms / 2), 0);
  EXPECT_EQ(queue_syncs(soon + hour_ms + 60'000), 1) << "three hours old";
  run_all();
  EXPECT_EQ(world.services.segments.list_history(id, 10).size(), 2u);
}

TEST_F(PeriodicTest, WhatCannotBeReadIsAskedForEverMoreSeldom) {
  world.platforms = make_simulated_platforms(parse_simulator_faults("not_found=1"));
  create(1, {post(SocialMediaPlatform::tiktok, "a")});
  std::vector<Millis> asked_after;
  for (Millis now = soon; now < soon + 100 * day_ms; now += hour_ms / 2) {
    if (queue_syncs(now) == 0) continue;
    run_all();
    asked_after.push_back((now - soon) / hour_ms);
  }
  // At each age of the table it would have been asked for within ninety days twelve times; unread for ever,
  // it is asked for as seldom.
  ASSERT_GE(asked_after.size(), 10u);
  EXPECT_LE(asked_after.size(), 13u);
  for (std::size_t i = 2; i < asked_after.size(); ++i)
    EXPECT_GE(asked_after[i] - asked_after[i - 1], asked_after[i - 1] - asked_after[i - 2]);
}

TEST_F(PeriodicTest, GivesWayToEverythingElseAndExpiresWhenItIsDueAgain) {
  create(1, {post(SocialMediaPlatform::tiktok, "a")});
  create(2, {post(SocialMediaPlatform::tiktok, "b")});
  EXPECT_EQ(queue_syncs(soon), 2);
  world.services.queue.enqueue({.id = "mine", .name = "tasks.test"});
  auto first = lease(1);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].id, "mine");
  EXPECT_EQ(queue_syncs(soon + hour_ms), 0) << "within the usual delay";
  EXPECT_EQ(queue_syncs(soon + hour_ms + 60'000), 2);
  EXPECT_EQ(lease().size(), 4u) << "by the queue's own clock none has expired";
}

TEST_F(PeriodicTest, WhoeverDiesInBetweenQueuesNothingTwice) {
  for (int i = 1; i <= 5; ++i)
    create(i, {post(SocialMediaPlatform::tiktok, "a"), post(SocialMediaPlatform::tiktok, "b")});
  // What was queued, but not put off: the posts are due as before.
  for (const auto& due : world.services.segments.list_due_posts(soon, 100)) {
    SyncMetrics sync{due.segment_id, due.platform};
    NewTask task = make_task(sync_metrics_task, encode(sync), due.user_id);
    task.id = due_sync_id(sync, due.due_at);
    world.services.queue.enqueue(task);
  }
  EXPECT_EQ(queue_syncs(soon), 5);
  EXPECT_EQ(lease().size(), 5u);
}

TEST_F(PeriodicTest, IsBoundedByRoundAndStopsWhereItMayNotGoOn) {
  constexpr int many = 450;
  for (int i = 1; i <= many; ++i) create(i, {post(SocialMediaPlatform::tiktok, "p")});
  EXPECT_EQ(queue_syncs(soon, 0), 0);
  EXPECT_EQ(queue_due_syncs(world.services, soon, 1'000, [] { return false; }), 0);
  int asked = 0;
  EXPECT_EQ(queue_due_syncs(world.services, soon, 1'000, [&] { return ++asked == 1; }), 200);
  EXPECT_EQ(queue_syncs(soon, 210), 210);
  EXPECT_EQ(queue_syncs(soon), 40);
  EXPECT_EQ(lease().size(), std::size_t{many});
}

TEST_F(PeriodicTest, AThousandDuePostsAreQueuedOnceHoweverManyQueueThem) {
  constexpr int many = 1'000;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 8; ++w)
      writers.emplace_back([&, w] {
        for (int i = w; i < many; i += 8) create(i, {post(SocialMediaPlatform::tiktok, "p")});
      });
  }
  World other(folder.path);
  {
    std::vector<std::jthread> beats;
    for (auto* services : {&world.services, &other.services, &world.services})
      beats.emplace_back([services, now = soon] { queue_due_syncs(*services, now, 5'000, always); });
  }
  std::set<std::string> asked;
  auto tasks = lease();
  for (const auto& task : tasks) asked.insert(task.arguments);
  EXPECT_EQ(tasks.size(), std::size_t{many});
  EXPECT_EQ(asked.size(), std::size_t{many});
}

TEST_F(PeriodicTest, SweepsWhatNobodyWaitsFor) {
  Video video;
  video.video_id = "v1";
  video.user_id = "alice";
  video.upload_date = video.updated_at = now_text();
  ASSERT_TRUE(world.services.videos.create_video(video, R"({"job_id":"v1"})"));
  create(1, {post(SocialMediaPlatform::tiktok, "a")});
  ASSERT_GT(world.services.events.list_events({}, 0, 10).size(), 0u);
  sweep(world.services, now_ms() + 6 * day_ms);
  EXPECT_TRUE(world.services.queue.find_task("process-v1"));
  EXPECT_GT(world.services.events.list_events({}, 0, 10).size(), 0u);
  sweep(world.services, now_ms() + 8 * day_ms);
  EXPECT_EQ(world.services.events.list_events({}, 0, 10).size(), 0u);
}

}  // namespace
}  // namespace segments::testing
