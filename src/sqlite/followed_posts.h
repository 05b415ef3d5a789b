// The posts whose counts are followed, by when each is due next: a table beside the segments, so that finding
// what is due costs what is found. The functions run inside the caller's transaction.
#pragma once

#include <vector>

#include "sqlite/connection.h"
#include "sqlite/segment_rows.h"
#include "store/segment_store.h"

namespace segments::sqlite {

// A step of the schema: makes the table, and fills it from the segments that are there.
void make_followed_posts(Connection&);

// Makes the table say what the segment's posts are, after any of them may have come or gone.
void follow_posts(Connection&, const SegmentRow&);
// The same after this one was linked, or more became known of it.
void follow_linked(Connection&, const SegmentRow&, const SocialMediaUsage&, bool is_new);
// After a reading of the post, taken at `read_at`.
void follow_reading(Connection&, const SegmentRow&, const SocialMediaUsage&, Millis read_at);
void unfollow_segment(Connection&, std::int64_t segment_ref);

// CROSS JOIN keeps the order of the tables: the index gives what is due, and each row its segment.
inline constexpr const char* due_posts_sql =
    "SELECT s.\"segment_id\", s.\"user_id\", f.\"platform\", f.\"post_id\", f.\"due_at\", f.\"asked\" FROM "
    "\"followed_posts\" f INDEXED BY \"followed_posts_by_due\" CROSS JOIN \"segments\" s ON "
    "s.\"segment_ref\" = f.\"segment_ref\" WHERE f.\"due_at\" BETWEEN ? AND ? ORDER BY f.\"due_at\" LIMIT ?";
std::vector<DuePost> list_due_posts(Connection&, Millis now, std::size_t limit);
void put_off_post(Connection&, const DuePost&, Millis until);

}  // namespace segments::sqlite
