// The posts whose counts are followed, and when each is due next. What is true stands in the item of the
// segment, in its map `followed`; that what is due is found without looking at every segment, each such time
// has an item of its own besides, its hint, written before the segment says so and dropped by whoever finds
// that the segment says otherwise. A hint's key is never used again, so one that the segment does not name
// (any more) may be dropped at any time, unless it is so young that its writer may yet write the segment.
#pragma once

#include <boost/describe.hpp>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dynamodb/table.h"
#include "store/segment_store.h"

namespace segments::dynamodb {

struct FollowedPost {
  Millis since = 0, due_at = 0;
  int asked = 0;
  std::string hint;  // a part of the hint's key
  bool operator==(const FollowedPost&) const = default;
};
BOOST_DESCRIBE_STRUCT(FollowedPost, (), (since, due_at, asked, hint))

using FollowedPosts = std::map<std::string, FollowedPost, std::less<>>;  // by post_key()
std::string post_key(SocialMediaPlatform, std::string_view post_id);     // "tiktok#123"

FollowedPosts followed_posts_of(const Item& segment);
Attribute attribute_of_followed(const FollowedPosts&);

// What is to be followed once the segment has these posts: those that are new are due at once or as their
// last reading says, those that are gone are followed no more.
FollowedPosts follow_posts(const FollowedPosts& before, const std::vector<SocialMediaUsage>& posts,
                           Millis now);
// The same of one post after a reading that was taken at `read_at`; std::nullopt: it is followed no more.
// `before` may be null, `usage` is as it is after the reading.
std::optional<FollowedPost> follow_reading(const FollowedPost* before, const SocialMediaUsage& usage,
                                           Millis read_at);

// Before the segment is written: a hint for each post that is due at another time than before. May be
// repeated.
void put_hints(Table&, std::string_view segment_id, const FollowedPosts& before, const FollowedPosts& after);
// The same, for who writes them along with something else.
std::vector<Item> new_hints(std::string_view segment_id, const FollowedPosts& before,
                            const FollowedPosts& after);
// Afterwards: drops the hints that the segment names no more. Nothing is wrong where this is left undone.
void drop_hints(Table&, std::string_view segment_id, const FollowedPosts& before, const FollowedPosts& after);
std::vector<Key> stale_hints(std::string_view segment_id, const FollowedPosts& before,
                             const FollowedPosts& after);

// SegmentStore's verbs.
std::vector<DuePost> list_due_posts(Table&, Millis now, std::size_t limit);
void put_off_posts(Table&, std::span<const DuePost>, Millis now);

}  // namespace segments::dynamodb
