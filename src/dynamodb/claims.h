// Whose a video's id is. It stands in the item of the video, whether or not a video is stored under the id:
// `owner` is who has the id or had it last, `claimed` whether it is the owner's now, `removed` that the video
// was removed, or is about to be, and nobody has taken its id since. A video that others have put, and which
// says no `owner`, is its `user_id`'s.
#pragma once

#include <string>
#include <string_view>

#include "dynamodb/table.h"

namespace segments::dynamodb {

Key video_key(std::string_view video_id);

struct Claim {
  std::string owner;  // "": nobody ever had the id
  bool is_claimed = false, is_removed = false;

  bool is_of(std::string_view user_id) const { return is_claimed && owner == user_id; }
  // The user has it or may have it.
  bool is_free_for(std::string_view user_id) const { return owner.empty() || owner == user_id; }
};
Claim claim_of(const Item& video);
// A strong read also sees what was claimed a moment ago: after a weak one, only "it is the user's" is certain
// enough to go on without a write.
Claim find_claim(Table&, std::string_view video_id, bool is_strong);

// The condition under which the id is the user's or may become it.
std::string free_condition(Terms&, std::string_view user_id);

// Makes the id the user's unless it has another owner, or had one; whether it is the user's now. What was
// removed stays so. One conditional write, which may be repeated.
bool claim(Table&, std::string_view video_id, std::string_view user_id);

}  // namespace segments::dynamodb
