// Lists of a user's segments, and what they cost. An index is sorted by the time of creation alone, and holds
// only what table_definition.cc says; it follows the table by and by.
//   - newest or oldest first, without filters: the page's rows of the index, and each of its segments (0.5
//   units). The
//     cost does not grow with the library, except with the offset, if one is given instead of a cursor.
//   - any other order, or filters: the index's rows of all the user's segments (of the type, or the time of
//   creation, where
//     one is given; with a video, that video's segments), at most `most_rows`; and each segment that the
//     index cannot rule out where a filter or the order asks for what is not in it (downloads, tags, posts,
//     search).
// A page may be shorter than asked for, though others follow, where segments were removed a moment ago.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "dynamodb/table.h"
#include "model/segment_query.h"

namespace segments::dynamodb {

// More are not read for one list: Error{invalid} says how to ask for less.
constexpr std::int64_t most_rows = 10'000;

SegmentPage list_segments(Table&, std::string_view user_id, const SegmentQuery&,
                          std::int64_t most = most_rows);

// A strong read of the video's partition, without the video itself.
Query segments_of_video(std::string_view video_id);
// All of the user's segments with ids above `after`, by id; unbounded.
std::vector<Key> list_keys(Table&, std::string_view user_id, std::string_view after);
// The segments at these keys, in their order; those that are no more are left out.
std::vector<Segment> read_whole(Table&, std::span<const Key>);

}  // namespace segments::dynamodb
