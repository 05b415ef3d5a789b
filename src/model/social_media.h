// A segment's posts on the five platforms: what is known of each, and where a post's address leads.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "describe/rule.h"

namespace segments {

enum class SocialMediaPlatform { instagram, tiktok, youtube, facebook, twitter };
BOOST_DESCRIBE_ENUM(SocialMediaPlatform, instagram, tiktok, youtube, facebook, twitter)

// Where a post's counts come from: read from the platform, made by the simulator, told by the owner.
enum class MetricsSource { platform, simulated, reported };
BOOST_DESCRIBE_ENUM(MetricsSource, platform, simulated, reported)

struct SocialMediaUsage {
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::optional<std::string> post_id;
  std::optional<std::string> post_url;
  std::optional<std::string> posted_at;
  std::int64_t views = 0;
  std::int64_t likes = 0;
  std::int64_t shares = 0;
  std::int64_t comments = 0;
  std::optional<double> engagement_rate;  // percent; null when views is 0 or not reported
  std::optional<std::string> last_synced;
  std::vector<std::string>
      unreported;  // names of the counts that the platform does not report; they stand as 0 above
  // Where the counts come from, or before a first reading are to come from; null when that is not known.
  std::optional<MetricsSource> source;
  bool operator==(const SocialMediaUsage&) const = default;
};
BOOST_DESCRIBE_STRUCT(SocialMediaUsage, (),
                      (platform, post_id, post_url, posted_at, views, likes, shares, comments,
                       engagement_rate, last_synced, unreported, source))

// What a platform answered about one post at one time. An absent count is one that it does not report.
struct MetricsReading {
  std::optional<std::int64_t> views, likes, shares, comments;
  MetricsSource source = MetricsSource::platform;
  std::string read_at;
  bool operator==(const MetricsReading&) const = default;
};
BOOST_DESCRIBE_STRUCT(MetricsReading, (), (views, likes, shares, comments, source, read_at))

// 100 * (likes + shares + comments) / views; std::nullopt when views is 0 or among `unreported`.
std::optional<double> engagement_rate_of(const SocialMediaUsage&);
// The usage of a post that was never read: no count of it is reported yet.
void set_unread(SocialMediaUsage&, std::optional<MetricsSource>);
// Puts a reading into the usage: counts, unreported, rate, source, last_synced.
void apply_reading(SocialMediaUsage&, const MetricsReading&);

// The body of POST /api/segments/{segment_id}/social-media: one of post_id and post_url is enough.
struct LinkPost {
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::optional<std::string> post_id;
  std::optional<std::string> post_url;
  std::optional<std::string> posted_at;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(LinkPost, (), (platform, post_id, post_url, posted_at, user_id))

// The body of the existing client's POST /api/segments/{segment_id}/social-media-usage.
struct PostData {
  std::optional<std::string> post_id;
  std::optional<std::string> post_url;
  std::optional<std::int64_t> views, likes, shares, comments;
  std::optional<std::string> posted_at;
};
BOOST_DESCRIBE_STRUCT(PostData, (), (post_id, post_url, views, likes, shares, comments, posted_at))
struct ReportUsage {
  std::optional<std::string> segment_id;
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::optional<PostData> post_data;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(ReportUsage, (), (segment_id, platform, post_data, user_id))

const char* fault_of_posted_at(std::string_view);
constexpr Rule rule_of(Describes<LinkPost>, std::string_view member) {
  if (member == "post_id") return {.min_length = 1, .max_length = 200};
  if (member == "post_url") return {.min_length = 1, .max_length = 2'000, .format = "uri"};
  if (member == "posted_at") return {.max_length = 40, .check = fault_of_posted_at, .format = "date-time"};
  return {};
}
constexpr Rule rule_of(Describes<PostData>, std::string_view member) {
  if (member == "post_id") return {.min_length = 1, .max_length = 200};
  if (member == "post_url") return {.min_length = 1, .max_length = 2'000, .format = "uri"};
  if (member == "posted_at") return {.max_length = 40, .check = fault_of_posted_at, .format = "date-time"};
  return {.minimum = 0, .maximum = 9'007'199'254'740'991};
}

// A post's address taken apart (facts/social-apis.md, section 6 of the project's research: all forms that
// platforms use).
struct PostAddress {
  SocialMediaPlatform platform;
  std::string post_id;
  bool operator==(const PostAddress&) const = default;
};
enum class PostUrlFault {
  not_a_url,
  unknown_host,
  no_post,
  short_link
};  // short_link: leads to a post, but only the platform knows which
struct ParsedPostUrl {
  std::optional<PostAddress> address;
  PostUrlFault fault = PostUrlFault::not_a_url;  // when there is no address
};
ParsedPostUrl parse_post_url(std::string_view url);
// The form of an id that the platform has; false for anything else.
bool is_post_id(SocialMediaPlatform, std::string_view post_id);
// What an owner may name as a post's id: 1-150 letters, digits, "_" and "-". Wider than the form above, since
// platforms change theirs; an id of another form (that of counts told without a post) is never asked of a
// platform.
bool may_be_post_id(std::string_view post_id);
// The canonical address of a post, as far as it can be made from its id alone.
std::string make_post_url(SocialMediaPlatform, std::string_view post_id);

}  // namespace segments
