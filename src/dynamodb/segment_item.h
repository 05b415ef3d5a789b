// A segment as it is stored: one item, whose attributes have the names of the record's members. What the
// earlier service wrote is read too: posts as a list, tags as a set, times without zone, no version.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "dynamodb/followed_posts.h"
#include "dynamodb/table.h"
#include "model/segment.h"

namespace segments::dynamodb {

// The name of a post in the item's maps: `social_media_usage`, of SocialMediaUsage and the number `position`,
// and `followed` (followed_posts.h).
inline std::string post_key(const SocialMediaUsage& usage) {
  return post_key(usage.platform, usage.post_id.value_or(""));
}

struct StoredPost {
  SocialMediaUsage usage;
  std::int64_t position = 0;  // posts are shown in this order
  std::string link_id;        // of the write that linked it
};

struct StoredSegment {
  Segment segment = {};  // as it is shown
  std::int64_t version = 1;
  std::string created_at = {};  // as it is stored, which is what the index sorts by
  std::string made_id = {};     // of this segment alone, even if another had its id before; "" in old items
  // Of the last writes that made it or a new version of it, the newest first: whose answer was lost finds its
  // own here.
  std::vector<std::string> write_ids = {};
  std::string request_id = {};  // of the idempotent request that made it
  std::map<std::string, StoredPost, std::less<>> posts = {};
  FollowedPosts followed = {};
  // Parts of it cannot be written each for itself yet: posts are a list, or there is no version.
  bool is_old = false;

  std::int64_t next_position() const;
};

// Where a segment is; std::nullopt for an id that none of ours can have.
std::optional<Key> key_of_segment(std::string_view segment_id);
// The same; for an id of another form a key under which there is nothing.
Key key_to_look_under(std::string_view segment_id);
// std::nullopt for an item that is none, or that a removed one has left behind.
std::optional<StoredSegment> read_segment(const Item&);
// Only what the index holds.
Segment read_listed(const Item&);
// The whole item of a new segment.
Item make_item(const StoredSegment&);
Attribute attribute_of_post(const StoredPost&);
// A new segment's posts, in their order.
std::map<std::string, StoredPost, std::less<>> number_posts(const std::vector<SocialMediaUsage>&);

// A time of anybody's making as ours; what is no time stays as it is.
std::string canonical_time(const std::string&);

// "the item is there, and a segment": for conditions of writes that must not make one.
std::string is_segment(Terms&);
// The same, and of that user ("" for any).
std::string is_segment_of(Terms&, std::string_view user_id);

}  // namespace segments::dynamodb
