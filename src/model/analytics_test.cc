#include "model/analytics.h"

#include <gtest/gtest.h>

#include <limits>

#include "describe/encode.h"

namespace segments {
namespace {

using Platform = SocialMediaPlatform;

SocialMediaUsage usage(Platform platform, std::int64_t views, std::int64_t likes, std::int64_t shares,
                       std::int64_t comments) {
  SocialMediaUsage made;
  made.platform = platform;
  made.views = views;
  made.likes = likes;
  made.shares = shares;
  made.comments = comments;
  return made;
}

SegmentAnalytics analytics_of(std::vector<SocialMediaUsage> usages) {
  Segment segment;
  segment.segment_id = "seg_v_001";
  segment.social_media_usage = std::move(usages);
  return analyse(segment);
}

TEST(Analyse, GivesZerosWithoutPosts) {
  EXPECT_EQ(
      encode(analytics_of({})),
      R"({"segment_id":"seg_v_001","total_views":0,"total_likes":0,"total_shares":0,"total_comments":0,"total_engagement":0,)"
      R"("average_engagement_rate":0,"platform_breakdown":[],"top_performing_platform":null,"last_updated":null})");
}

TEST(Analyse, SumsAndAverages) {
  auto first = usage(Platform::youtube, 1'000, 50, 0, 50);
  first.unreported = {"shares"};
  first.source = MetricsSource::simulated;
  first.last_synced = "2026-01-01T00:00:00.000Z";
  auto second = usage(Platform::youtube, 100, 10, 5, 5);
  second.source = MetricsSource::reported;
  second.last_synced = "2026-01-03T00:00:00.000Z";
  auto third = usage(Platform::instagram, 200, 100, 0, 0);
  third.source = MetricsSource::simulated;
  third.last_synced = "2026-01-02T00:00:00.000Z";
  auto out = analytics_of({first, second, third, usage(Platform::tiktok, 0, 0, 0, 0)});
  EXPECT_EQ(out.total_views, 1'300);
  EXPECT_EQ(out.total_likes, 160);
  EXPECT_EQ(out.total_shares, 5);
  EXPECT_EQ(out.total_comments, 55);
  EXPECT_EQ(out.total_engagement, 220);
  EXPECT_DOUBLE_EQ(*out.average_engagement_rate, (10.0 + 20.0 + 50.0) / 3);
  EXPECT_EQ(out.last_updated, "2026-01-03T00:00:00.000Z");
  EXPECT_EQ(out.top_performing_platform, Platform::youtube);
  ASSERT_EQ(out.platform_breakdown.size(), 3u);
  EXPECT_EQ(out.platform_breakdown[0].platform, Platform::instagram);
  EXPECT_EQ(out.platform_breakdown[1].platform, Platform::tiktok);
  EXPECT_FALSE(out.platform_breakdown[1].engagement_rate);
  const auto& youtube = out.platform_breakdown[2];
  EXPECT_EQ(youtube.posts, 2);
  EXPECT_EQ(youtube.views, 1'100);
  EXPECT_EQ(youtube.engagement, 120);
  EXPECT_DOUBLE_EQ(*youtube.engagement_rate, 15);
  EXPECT_EQ(youtube.unreported, std::vector<std::string>{"shares"});
  EXPECT_EQ(youtube.sources, (std::vector<std::string>{"simulated", "reported"}));
  EXPECT_EQ(youtube.last_synced, "2026-01-03T00:00:00.000Z");
}

TEST(Analyse, HasNoRateWhereNoPostHasViews) {
  auto hidden = usage(Platform::tiktok, 0, 5, 0, 0);
  hidden.unreported = {"views"};
  auto out = analytics_of({hidden, usage(Platform::twitter, 0, 1, 0, 0)});
  EXPECT_FALSE(out.average_engagement_rate);
  EXPECT_EQ(out.top_performing_platform, Platform::tiktok);
}

TEST(Analyse, BreaksTiesByViewsThenByName) {
  EXPECT_EQ(analytics_of({usage(Platform::youtube, 10, 5, 0, 0), usage(Platform::tiktok, 20, 0, 5, 0)})
                .top_performing_platform,
            Platform::tiktok);
  EXPECT_EQ(analytics_of({usage(Platform::youtube, 10, 5, 0, 0), usage(Platform::facebook, 10, 5, 0, 0)})
                .top_performing_platform,
            Platform::facebook);
  EXPECT_EQ(analytics_of({usage(Platform::twitter, 10, 0, 0, 0)}).top_performing_platform, Platform::twitter);
  EXPECT_FALSE(analytics_of({usage(Platform::youtube, 0, 0, 0, 0)}).top_performing_platform);
}

TEST(Analyse, DoesNotOverflow) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  auto out = analytics_of(
      {usage(Platform::youtube, most, most, most, most), usage(Platform::youtube, most, most, most, most)});
  EXPECT_EQ(out.total_engagement, most);
  EXPECT_EQ(out.total_views, most);
}

}  // namespace
}  // namespace segments
