// What an item of the earlier service's table becomes in ours. That table is keyed by the video alone, so its
// rows took each other's place: one is a video, or a segment of it (the last that was written), or both, when
// the job's row was updated after a segment had replaced it. Segments that were lost so are made anew from
// the video's output_s3_urls. The later table of segments alone, keyed by segment_id, is read as well.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dynamodb/item.h"

namespace segments::dynamodb {

struct ConvertedItem {
  std::string video_id, user_id;
  std::optional<Item> video;   // the whole #VIDEO item; none where the row tells nothing of the video
  std::vector<Item> segments;  // whole items, their posts not yet followed
};

// std::nullopt for an item that names no video. Nothing of an item is left out: what our records have no
// member for stays as it is beside them.
std::optional<ConvertedItem> convert_old_item(const Item&);

// Of everything in the item, whatever the order of its sets.
std::string digest_of(Item);

}  // namespace segments::dynamodb
