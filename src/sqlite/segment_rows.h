// A segment as a row, with what the model does not hold. The functions run inside the caller's transaction.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "model/segment.h"
#include "sqlite/connection.h"

namespace segments::sqlite {

struct SegmentRow {
  std::int64_t segment_ref = 0;
  std::int64_t user_ref = 0;
  std::int64_t version = 1;
  Segment segment;
};

std::optional<SegmentRow> find_row(Connection&, std::string_view segment_id);
// What of it is the model's.
std::optional<VersionedSegment> find_versioned(Connection&, std::string_view segment_id);
// The same; another user's is absent. "" is any user.
std::optional<SegmentRow> find_row_of(Connection&, std::string_view segment_id, std::string_view user_id);
// The row's segment_ref; std::nullopt when the id is taken.
std::optional<std::int64_t> insert_row(Connection&, std::int64_t user_ref, std::int64_t version,
                                       const Segment&);
// Writes the version and these members (and what is derived from them); the others stay as they are stored.
void update_row(Connection&, const SegmentRow&, std::initializer_list<std::string_view> members);
// Writes the posts and updated_at. `platforms_change`: they are on other platforms than those that are
// stored.
void update_posts(Connection&, const SegmentRow&, bool platforms_change);
// Writes the version, title, description, tags and updated_at.
void update_edited(Connection&, const SegmentRow&);
void remove_row(Connection&, const SegmentRow&);  // with its history

}  // namespace segments::sqlite
