// Which segments each transaction has changed, as one row for all of them: who keeps something of a user's
// segments in memory reads here what to read anew, whichever process changed it. The functions run inside the
// caller's transaction.
#pragma once

#include <optional>
#include <vector>

#include "model/segment.h"
#include "sqlite/connection.h"

namespace segments::sqlite {

// A step of the schema.
void make_change_log(Connection&);

// The segment was changed, and the user has `count` more of that type.
void note_change(Connection&, std::int64_t user_ref, std::int64_t segment_ref, SegmentType = {},
                 int count = 0);
// What lists show of the user's segments was changed, but nothing that they sort or filter by: a new revision,
// and nothing to read anew.
void note_shown(Connection&, std::int64_t user_ref);
// Appends the events that were noted, logs the changes, counts them, and gives each of their users a new
// revision.
void write_notes(Connection&);

std::int64_t newest_change(Connection&);  // the log's last position
// The user's segments that were changed after that position, some perhaps more than once; std::nullopt where
// the log does not reach back so far.
std::optional<std::vector<std::int64_t>> list_changes(Connection&, std::int64_t user_ref, std::int64_t after);

}  // namespace segments::sqlite
