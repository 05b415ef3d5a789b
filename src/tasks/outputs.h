// The objects that the cutting of a video makes: their keys, and their removal.
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>

#include "objects/object_store.h"

namespace segments {

std::string piece_key(std::string_view video_id, std::int64_t number, std::string_view extension);
std::string thumbnail_key(std::string_view video_id, std::int64_t number);
std::string audio_key(std::string_view video_id);
// Removes what lies under processed/, thumbnails/ and audio/ of the video, but for the keys in `keep`; at
// most `most` objects. False where some are left.
bool remove_outputs(ObjectStore&, std::string_view video_id, const std::set<std::string>& keep = {},
                    std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace segments
