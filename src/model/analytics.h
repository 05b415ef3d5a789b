// How a segment performs, from its posts' latest counts. Pure.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/segment.h"

namespace segments {

struct PlatformBreakdown {
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::int64_t posts = 0;
  std::int64_t views = 0, likes = 0, shares = 0, comments = 0;
  std::int64_t engagement = 0;            // likes + shares + comments
  std::optional<double> engagement_rate;  // percent: mean over this platform's posts that have views
  std::vector<std::string> unreported;    // counts that at least one of these posts does not report
  std::vector<std::string> sources;       // platform, simulated, reported: as they occur
  std::optional<std::string> last_synced;
};
BOOST_DESCRIBE_STRUCT(PlatformBreakdown, (),
                      (platform, posts, views, likes, shares, comments, engagement, engagement_rate,
                       unreported, sources, last_synced))

struct SegmentAnalytics {
  std::string segment_id;
  std::int64_t total_views = 0, total_likes = 0, total_shares = 0, total_comments = 0;
  std::int64_t total_engagement = 0;
  std::optional<double> average_engagement_rate;  // percent; mean over usages that have views; 0 without any
                                                  // posts, null when no post has views
  std::vector<PlatformBreakdown> platform_breakdown;
  std::optional<SocialMediaPlatform>
      top_performing_platform;  // most engagement; ties by views, then by name; null while all are 0
  std::optional<std::string> last_updated;  // the newest last_synced
};
BOOST_DESCRIBE_STRUCT(SegmentAnalytics, (),
                      (segment_id, total_views, total_likes, total_shares, total_comments, total_engagement,
                       average_engagement_rate, platform_breakdown, top_performing_platform, last_updated))

SegmentAnalytics analyse(const Segment&);

}  // namespace segments
