#include "model/social_media.h"

#include <gtest/gtest.h>

#include <limits>

namespace segments {
namespace {

SocialMediaUsage with_counts(std::int64_t views, std::int64_t likes, std::int64_t shares,
                             std::int64_t comments) {
  SocialMediaUsage usage;
  usage.views = views;
  usage.likes = likes;
  usage.shares = shares;
  usage.comments = comments;
  return usage;
}

TEST(EngagementRate, IsPercentOfViews) {
  auto usage = with_counts(200, 5, 3, 2);
  EXPECT_EQ(engagement_rate_of(usage), 5.0);
  usage.views = 0;
  EXPECT_FALSE(engagement_rate_of(usage));
  usage.views = 200;
  usage.unreported = {"shares"};
  EXPECT_TRUE(engagement_rate_of(usage));
  usage.unreported = {"shares", "views"};
  EXPECT_FALSE(engagement_rate_of(usage));
}

TEST(EngagementRate, DoesNotOverflow) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  auto usage = with_counts(most, most, most, most);
  EXPECT_NEAR(*engagement_rate_of(usage), 300, 1e-9);
}

TEST(ApplyReading, PutsEverythingIn) {
  auto usage = with_counts(1, 0, 0, 0);
  usage.post_id = "p";
  usage.unreported = {"views"};
  apply_reading(usage, {100, 10, {}, 0, MetricsSource::simulated, "2026-01-01T00:00:00.000Z"});
  EXPECT_EQ(usage.views, 100);
  EXPECT_EQ(usage.likes, 10);
  EXPECT_EQ(usage.shares, 0);
  EXPECT_EQ(usage.comments, 0);
  EXPECT_EQ(usage.unreported, std::vector<std::string>{"shares"});
  EXPECT_EQ(usage.engagement_rate, 10.0);
  EXPECT_EQ(usage.source, MetricsSource::simulated);
  EXPECT_EQ(usage.last_synced, "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(usage.post_id, "p");
}

TEST(ApplyReading, LetsCountsFallAndVanish) {
  SocialMediaUsage usage;
  apply_reading(usage, {100, 10, 5, 5, MetricsSource::platform, "a"});
  apply_reading(usage, {90, 9, 5, 5, MetricsSource::platform, "b"});
  EXPECT_EQ(usage.views, 90);
  apply_reading(usage, {{}, {}, {}, {}, MetricsSource::platform, "c"});
  EXPECT_EQ(usage.views, 0);
  EXPECT_FALSE(usage.engagement_rate);
  EXPECT_EQ(usage.unreported, (std::vector<std::string>{"views", "likes", "shares", "comments"}));
  apply_reading(usage, {-3, 1, 1, 1, MetricsSource::platform, "d"});
  EXPECT_EQ(usage.views, 0);
  EXPECT_FALSE(usage.engagement_rate);
}

}  // namespace
}  // namespace segments
