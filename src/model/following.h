// When the counts of a post are read again without anybody asking: often while it is young, seldom when it is
// old, and ever more seldom while it cannot be read.
#pragma once

#include "base/time.h"
#include "model/social_media.h"

namespace segments {

// No post waits longer for its next reading or attempt.
inline constexpr Millis longest_pause_ms = 90LL * 24 * 3'600 * 1'000;

// Counts that the owner tells are the owner's: a reading of the platform is not put over them unasked. An id
// that no platform can have is never asked for.
bool is_followed(const SocialMediaUsage&);
// When a post that is there since `since` and was read at `read_at` is due: at the next of the ages 15 min, 1
// h, 3 h, 6 h, 12 h, 1, 2, 3, 7, 14, 30 and 90 days, then every 90 days.
Millis next_reading_at(Millis since, Millis read_at);
// When it is due after having been asked for `asked` times since its last reading, of which none came: 1 h,
// 2 h, 4 h, ... after the last time, at most 30 days.
Millis next_attempt_at(int asked, Millis asked_at);

}  // namespace segments
