// A video as it is stored: the item `#VIDEO` beside its segments, whose attributes have the names of the
// record's members. Its claim stands there, too (claims.h). What the earlier service wrote is read as well:
// addresses for object keys, times without zone, no progress, other words for a status.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dynamodb/table.h"
#include "model/video.h"

namespace segments::dynamodb {

struct StoredVideo {
  Video video;
  std::string task_arguments;
  std::int64_t revision = 0;  // one higher with each write of the video
  // Of the last of them, the newest first: whose answer was lost finds its own here.
  std::vector<std::string> write_ids = {};
};

// std::nullopt for an item that is only a claim, or what a removed video has left.
std::optional<StoredVideo> read_video(const Item&);
// The whole item, with the claim of its user.
Item make_item(const StoredVideo&);

// "processed/v1/segment_001.mp4" from that key or any address of the object ("s3://bucket/…",
// "https://bucket.s3.eu-west-1.amazonaws.com/…", "https://s3.amazonaws.com/bucket/…", signed or not).
std::string object_key_of(std::string_view address);

}  // namespace segments::dynamodb
