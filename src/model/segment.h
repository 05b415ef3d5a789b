// A segment: one piece cut from a video, where its media lies, and how its posts perform. The members are the
// record of the API, in its order and with its names; absent optional values are null.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/object_key.h"
#include "describe/patch.h"
#include "describe/rule.h"
#include "model/social_media.h"

namespace segments {

enum class SegmentType { processed, original, thumbnail, audio };
BOOST_DESCRIBE_ENUM(SegmentType, processed, original, thumbnail, audio)

struct Segment {
  std::string segment_id;  // seg_{video_id}_{nnn} from a task, seg_{video_id}_{suffix} from the API
  std::string video_id;
  std::string user_id;
  SegmentType segment_type = SegmentType::processed;
  std::int64_t segment_number = 0;
  std::string s3_key;                 // object key
  std::optional<std::string> s3_url;  // s3://bucket/key where the object store is S3
  double duration = 0;                // seconds
  std::int64_t file_size = 0;         // bytes
  std::string content_type = "video/mp4";
  std::optional<std::string> thumbnail_url;  // kept as the thumbnail's object key, presigned when it is shown
  std::string created_at;                    // RFC 3339 UTC with Z and milliseconds; so are all times
  std::string updated_at;
  std::optional<std::string> title;
  std::optional<std::string> description;
  std::vector<std::string> tags;
  std::vector<SocialMediaUsage> social_media_usage;
  std::optional<std::string> filename;
  std::int64_t download_count = 0;
  std::optional<std::string> last_downloaded_at;
  bool operator==(const Segment&) const = default;
};
BOOST_DESCRIBE_STRUCT(Segment, (),
                      (segment_id, video_id, user_id, segment_type, segment_number, s3_key, s3_url, duration,
                       file_size, content_type, thumbnail_url, created_at, updated_at, title, description,
                       tags, social_media_usage, filename, download_count, last_downloaded_at))

// A new version is made by every change of what an update edits (title, description, tags) and of the media,
// not by downloads, posts or their counts: an editor's If-Match is about the editor's fields.
struct VersionedSegment {
  Segment segment;
  std::int64_t version = 1;
};

// What the media tells (type, number, key, url, duration, size, content type, thumbnail, filename) replaces
// what is stored. False when it is the same.
bool take_media(Segment& stored, const Segment& media);

// The body of POST /api/segments.
struct CreateSegment {
  std::string video_id;
  SegmentType segment_type = SegmentType::processed;
  std::int64_t segment_number = 0;
  std::string s3_key;
  double duration = 0;
  std::int64_t file_size = 0;
  std::string content_type = "video/mp4";
  std::optional<std::string> title;
  std::optional<std::string> description;
  std::optional<std::vector<std::string>> tags;
  std::optional<std::string> user_id;  // must be the caller's own; in auth mode `none` it names the user
};
BOOST_DESCRIBE_STRUCT(CreateSegment, (),
                      (video_id, segment_type, segment_number, s3_key, duration, file_size, content_type,
                       title, description, tags, user_id))

// The body of PUT and PATCH /api/segments/{segment_id}: what is given changes, null clears, the rest stays.
struct UpdateSegment {
  Patch<std::string> title;
  Patch<std::string> description;
  Patch<std::vector<std::string>> tags;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(UpdateSegment, (), (title, description, tags, user_id))

// nullptr, or what is allowed. Ids: 1-240 of A-Z a-z 0-9 . _ ~ : @ - and no leading dot (a video id has 200
// at most, so that its segments have ids too). Object keys: base/object_key.h.
const char* fault_of_id(std::string_view);
const char* fault_of_content_type(std::string_view);
const char* fault_of_time(std::string_view);

constexpr Rule title_rule{.max_length = 500, .about = "Shown as the clip's name"};
constexpr Rule description_rule{.max_length = 10'000, .one_line = false};
constexpr Rule tags_rule{.min_length = 1, .max_length = 100, .max_items = 100};

constexpr Rule rule_of(Describes<CreateSegment>, std::string_view member) {
  if (member == "video_id") return {.min_length = 1, .max_length = 200, .check = fault_of_id};
  if (member == "user_id") return {.min_length = 1, .max_length = 200};
  if (member == "segment_number") return {.minimum = 0, .maximum = 1'000'000'000};
  if (member == "s3_key") return {.min_length = 1, .max_length = 900, .check = fault_of_object_key};
  if (member == "duration") return {.minimum = 0, .maximum = 31'536'000, .about = "Seconds"};
  if (member == "file_size") return {.minimum = 0, .maximum = 9'007'199'254'740'991, .about = "Bytes"};
  if (member == "content_type") return {.max_length = 200, .defaulted = true, .check = fault_of_content_type};
  if (member == "title") return title_rule;
  if (member == "description") return description_rule;
  if (member == "tags") return tags_rule;
  return {};
}
constexpr Rule rule_of(Describes<UpdateSegment>, std::string_view member) {
  if (member == "title") return title_rule;
  if (member == "description") return description_rule;
  if (member == "tags") return tags_rule;
  return {};
}

// "seg_{video_id}_007"; three digits at least.
std::string make_numbered_segment_id(std::string_view video_id, std::int64_t number);
std::string make_segment_id(std::string_view video_id, std::string_view suffix);
// The video in a segment's id; std::nullopt when the id has not that form.
std::optional<std::string> video_id_of(std::string_view segment_id);

}  // namespace segments
