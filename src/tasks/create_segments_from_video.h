// tasks.create_segments_from_video_task: the records of a video's pieces, from what the object store and the
// files themselves tell. Run twice it leaves the same records, with what their owner has edited meanwhile.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/segment.h"
#include "tasks/registry.h"

namespace segments {

struct VideoMetadata {
  std::optional<std::string> title;
  std::optional<std::vector<std::string>> tags;
  std::optional<std::string> filename;
  std::optional<std::vector<SegmentType>>
      extra_types;  // original, thumbnail, audio: records besides those of the pieces
};
BOOST_DESCRIBE_STRUCT(VideoMetadata, (), (title, tags, filename, extra_types))
constexpr Rule rule_of(Describes<VideoMetadata>, std::string_view member) {
  if (member == "title") return title_rule;
  if (member == "tags") return tags_rule;
  return {.max_length = 1'000};
}

struct CreateSegments {
  std::string video_id;
  std::string user_id;
  std::vector<std::string> output_s3_keys;  // in the order of the pieces
  std::optional<VideoMetadata> video_metadata;
};
BOOST_DESCRIBE_STRUCT(CreateSegments, (), (video_id, user_id, output_s3_keys, video_metadata))
constexpr Rule rule_of(Describes<CreateSegments>, std::string_view member) {
  if (member == "video_id") return {.min_length = 1, .max_length = 200, .check = fault_of_id};
  if (member == "user_id") return {.min_length = 1, .max_length = 200};
  if (member == "output_s3_keys")
    return {.min_length = 1, .max_length = 900, .max_items = 10'000, .check = fault_of_object_key};
  return {};
}

struct FailedItem {
  std::string item;   // an object key, or a post's id
  std::string error;  // one plain sentence
};
BOOST_DESCRIBE_STRUCT(FailedItem, (), (item, error))

struct CreateSegmentsResult {
  std::int64_t segments_created = 0;  // records that are there now
  std::vector<std::string> segment_ids;
  std::vector<FailedItem> failed;
};
BOOST_DESCRIBE_STRUCT(CreateSegmentsResult, (), (segments_created, segment_ids, failed))

std::string create_segments_from_video(std::string_view arguments, Services&, const TaskContext&);
// Marks the video's job as failed when the task that belongs to the video was given up; a later run that
// succeeds completes it again.
void give_up_segments(std::string_view arguments, Services&, const std::string& error, bool revoked);

}  // namespace segments
