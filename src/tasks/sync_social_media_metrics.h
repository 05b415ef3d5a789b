// tasks.sync_social_media_metrics_task: reads the counts of a segment's posts on one platform and keeps each
// reading.
#pragma once

#include <boost/describe.hpp>
#include <string>
#include <string_view>

#include "model/segment.h"
#include "tasks/create_segments_from_video.h"
#include "tasks/registry.h"

namespace segments {

struct SyncMetrics {
  std::string segment_id;
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
};
BOOST_DESCRIBE_STRUCT(SyncMetrics, (), (segment_id, platform))
constexpr Rule rule_of(Describes<SyncMetrics>, std::string_view member) {
  if (member == "segment_id") return {.min_length = 1, .max_length = 300};
  return {};
}

struct SyncMetricsResult {
  std::string segment_id;
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::int64_t posts = 0;   // of that platform
  std::int64_t synced = 0;  // whose reading was kept
  std::vector<FailedItem> failed;
};
BOOST_DESCRIBE_STRUCT(SyncMetricsResult, (), (segment_id, platform, posts, synced, failed))

std::string sync_social_media_metrics(std::string_view arguments, Services&, const TaskContext&);

}  // namespace segments
