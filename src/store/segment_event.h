// The events of a segment's changes, which stores append beside them.
#pragma once

#include <string>
#include <string_view>

#include "describe/encode.h"
#include "model/event.h"
#include "model/segment.h"

namespace segments {

struct SegmentEvent {
  std::string_view segment_id, video_id, user_id, at;
};
BOOST_DESCRIBE_STRUCT(SegmentEvent, (), (segment_id, video_id, user_id, at))

struct SyncedEvent {
  std::string_view segment_id;
  SocialMediaPlatform platform;
  std::string_view post_id;
  std::optional<std::int64_t> views, likes, shares, comments;
  MetricsSource source;
  std::string_view at;
};
BOOST_DESCRIBE_STRUCT(SyncedEvent, (),
                      (segment_id, platform, post_id, views, likes, shares, comments, source, at))

// `type`: segment.created, segment.updated or segment.deleted.
inline Event make_segment_event(const Segment& segment, const char* type, Millis now) {
  const std::string at = format_time(now);
  std::string data;
  data.reserve(100 + segment.segment_id.size() + segment.video_id.size() + segment.user_id.size());
  TextSink out(data);
  encode(out, SegmentEvent{segment.segment_id, segment.video_id, segment.user_id, at});
  out.end();
  return {.id = 0,
          .type = type,
          .user_id = segment.user_id,
          .job_id = std::nullopt,
          .data = std::move(data),
          .at = now};
}

inline Event make_synced_event(const Segment& segment, SocialMediaPlatform platform, std::string_view post_id,
                               const MetricsReading& reading, Millis now) {
  const SyncedEvent data{.segment_id = segment.segment_id,
                         .platform = platform,
                         .post_id = post_id,
                         .views = reading.views,
                         .likes = reading.likes,
                         .shares = reading.shares,
                         .comments = reading.comments,
                         .source = reading.source,
                         .at = reading.read_at};
  return {.id = 0,
          .type = "social.synced",
          .user_id = segment.user_id,
          .job_id = std::nullopt,
          .data = encode(data),
          .at = now};
}

}  // namespace segments
