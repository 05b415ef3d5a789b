// Users as the tables know them: a number for each, a revision that every change of the user's segments
// raises, and the exact counts of what the user has. The functions run inside the caller's transaction.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "model/segment.h"
#include "sqlite/connection.h"

namespace segments::sqlite {

struct UserCounts {
  std::int64_t user_ref = 0;
  std::int64_t revision = 0;
  std::int64_t segments = 0;  // of the type asked for, or of all
  std::int64_t all = 0;
};

std::string segment_count_definitions();  // columns of the table
std::optional<std::int64_t> find_user(Connection&, std::string_view user_id);
std::int64_t find_or_make_user(Connection&, std::string_view user_id);
std::optional<UserCounts> find_counts(Connection&, std::string_view user_id, std::optional<SegmentType>);
std::int64_t find_revision(Connection&, std::string_view user_id);  // 0 where the user has none yet
using SegmentCounts = std::array<std::int64_t, 4>;  // by SegmentType
// A new revision, with so many segments more of each type.
void add_counts(Connection&, std::int64_t user_ref, const SegmentCounts&);
// The user, and all together, have so many videos more.
void count_videos(Connection&, std::int64_t user_ref, int change);

// The owner of a video's id.
std::optional<std::int64_t> find_claim(Connection&, std::string_view video_id);
// Whether the user may claim an id that has no owner: it never had one, or the user was its last.
bool is_free_for(Connection&, std::string_view video_id, std::optional<std::int64_t> user_ref);
// Makes a free id the user's.
void claim_free(Connection&, std::string_view video_id, std::int64_t user_ref);
// Makes the id the user's unless it has another owner, or had one; whether it is the user's now.
bool claim(Connection&, std::string_view video_id, std::int64_t user_ref);

// Whether the video was removed, or is about to be, and nobody has taken its id since.
bool is_removed(Connection&, std::string_view video_id);

}  // namespace segments::sqlite
