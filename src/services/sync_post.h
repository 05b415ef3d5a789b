// One post's counts, read from its platform and kept.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"
#include "services/services.h"

namespace segments {

// Reads the counts of the segment's post and keeps the reading; counts and logs the attempt whatever comes of
// it. The error when nothing was kept; conflict when the post was unlinked meanwhile. `usage` has a post_id.
std::optional<Error> sync_post(Services&, std::string_view segment_id, const SocialMediaUsage& usage);

// Counts and logs an attempt.
void note_sync(Services&, std::string_view segment_id, SocialMediaPlatform, std::string_view post_id,
               std::string_view outcome, std::string_view error = "");

}  // namespace segments
