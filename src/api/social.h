// Posts of a segment on the platforms: linking them, syncing their counts, what they add up to.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/api.h"
#include "describe/rule.h"
#include "http/request.h"
#include "http/response.h"
#include "model/social_media.h"

namespace segments {

Response link_post(const Request&, Api&);     // POST /api/segments/{segment_id}/social-media
bool waits_for_counts(const Request&);        // whether that link may wait for a platform
Response report_usage(const Request&, Api&);  // POST /api/segments/{segment_id}/social-media-usage
Response unlink_posts(const Request&,
                      Services&);  // DELETE /api/segments/{segment_id}/social-media/{platform}
Response get_analytics(const Request&, Services&);  // GET /api/segments/{segment_id}/analytics
Response list_history(const Request&, Services&);   // GET /api/segments/{segment_id}/social-media/history
Response sync_all(const Request&, Api&);            // POST /api/social-media/sync

struct LinkQuery {
  std::optional<bool> wait;
};
BOOST_DESCRIBE_STRUCT(LinkQuery, (), (wait))
constexpr Rule rule_of(Describes<LinkQuery>, std::string_view) {
  return {.about = "With true the counts are read before the answer, not by a task after it"};
}

struct UnlinkQuery {
  std::optional<std::string> post_id;
};
BOOST_DESCRIBE_STRUCT(UnlinkQuery, (), (post_id))
constexpr Rule rule_of(Describes<UnlinkQuery>, std::string_view) {
  return {.max_length = 200,
          .about = "One of several posts; without it all posts of the platform are unlinked"};
}

struct UnlinkedPosts {
  std::string message;
  std::int64_t unlinked = 0;
};
BOOST_DESCRIBE_STRUCT(UnlinkedPosts, (), (message, unlinked))

struct HistoryQuery {
  std::optional<std::int64_t> limit;
};
BOOST_DESCRIBE_STRUCT(HistoryQuery, (), (limit))
constexpr Rule rule_of(Describes<HistoryQuery>, std::string_view) {
  return {.minimum = 1, .maximum = 10'000, .about = "The newest readings, default 1000"};
}

struct HistoryReading {
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::string post_id;
  std::optional<std::int64_t> views, likes, shares, comments;  // null where the platform does not report it
  MetricsSource source = MetricsSource::platform;
  std::string read_at;
};
BOOST_DESCRIBE_STRUCT(HistoryReading, (),
                      (platform, post_id, views, likes, shares, comments, source, read_at))
struct SegmentHistory {
  std::string segment_id;
  std::vector<HistoryReading> history;  // oldest first
};
BOOST_DESCRIBE_STRUCT(SegmentHistory, (), (segment_id, history))

struct SyncRequest {
  std::optional<std::vector<SocialMediaPlatform>> platforms;  // all without it
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(SyncRequest, (), (platforms, user_id))
constexpr Rule rule_of(Describes<SyncRequest>, std::string_view member) {
  if (member == "platforms") return {.max_items = 5};
  return {.max_length = 200};
}

struct QueuedTask {
  std::string task_id;
  TaskStatus status = TaskStatus::PENDING;
};
BOOST_DESCRIBE_STRUCT(QueuedTask, (), (task_id, status))

// Takes the post out of the body: id and address, one of which is derived from the other; the address as it
// was given. Throws Error{invalid} with every fault. Without either: std::nullopt.
struct Post {
  std::string post_id;
  std::string post_url;
};
std::optional<Post> resolve_post(SocialMediaPlatform, const std::optional<std::string>& post_id,
                                 const std::optional<std::string>& post_url, const std::string& pointer);

}  // namespace segments
