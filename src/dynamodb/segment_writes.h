// What the writes of segments have in common.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "dynamodb/segment_item.h"

namespace segments::dynamodb {

// The segment as it is now, by a strong read, in the form in which its parts are written; what the earlier
// service wrote is brought into that form first. std::nullopt when it is absent or another user's ("" for
// any).
std::optional<StoredSegment> load_segment(Table&, std::string_view segment_id, std::string_view user_id);

// Between reading and writing what somebody else may write at the same time: waits at random, longer and
// longer. Throws Error{unavailable} when that has taken half a minute.
class Contention {
 public:
  void wait();

 private:
  Millis begun_ = steady_ms();
  int count_ = 0;
};

// What belongs to a change that is done, and does not undo it when it fails: that is logged.
void afterwards(const char* step, std::string_view segment_id, const std::function<void()>&);

// The changes that turn one state of what is followed into the other, of those posts alone which differ; and
// what must hold for it: that nobody has changed them meanwhile.
void change_followed(Terms&, Changes&, std::string& condition, const FollowedPosts& before,
                     const FollowedPosts& after);

std::vector<SocialMediaUsage> usages_of(const StoredSegment&);

}  // namespace segments::dynamodb
