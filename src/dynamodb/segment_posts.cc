// The verbs of DynamoSegmentStore that concern posts on social media and their counts. A post is an entry of
// a map, and is written alone, so that those who change different posts of a segment do not disturb each
// other.
#include <algorithm>

#include "base/ids.h"
#include "dynamodb/segment_history.h"
#include "dynamodb/segment_lists.h"
#include "dynamodb/segment_store.h"
#include "dynamodb/segment_writes.h"
#include "store/segment_event.h"

namespace segments::dynamodb {

namespace {

// An expression has 300 operators at most.
constexpr std::size_t most_unlinked_at_once = 40;

// The key of a post in the segment's maps; "" where it is not linked.
std::string find_post(const StoredSegment& stored, SocialMediaPlatform platform,
                      const std::optional<std::string_view>& post_id) {
  auto is_it = [&](const auto& entry) {
    const auto& usage = entry.second.usage;
    return usage.platform == platform && usage.post_id == post_id;
  };
  auto at = std::ranges::find_if(stored.posts, is_it);
  return at == stored.posts.end() ? "" : at->first;
}

std::string path_of_post(Terms& terms, std::string_view key) {
  return terms.path("social_media_usage", key);
}

constexpr std::size_t most_in_batch = 25;

// As it was read, but for what was written since.
VersionedSegment with_posts(const StoredSegment& stored, std::vector<SocialMediaUsage>&& posts,
                            const std::string& updated_at) {
  VersionedSegment changed{stored.segment, stored.version};
  changed.segment.social_media_usage = std::move(posts);
  changed.segment.updated_at = updated_at;
  return changed;
}

}  // namespace

struct DynamoSegmentStore::Part {
  Terms terms = {};
  Changes changes = {};
  std::string condition = is_segment(terms);
};

Written DynamoSegmentStore::write_part(const StoredSegment& stored, Part&& part,
                                       const FollowedPosts& followed, std::optional<Item> further) {
  const auto& segment_id = stored.segment.segment_id;
  auto puts = new_hints(segment_id, stored.followed, followed);
  if (further) puts.push_back(std::move(*further));
  std::vector<Key> stale;
  if (!puts.empty()) {
    std::lock_guard lock(mutex_);
    // A batch of its own would cost as much as the whole reading.
    if (stale_hints_.size() + puts.size() <= most_in_batch) stale.swap(stale_hints_);
  }
  table_.batch_write(puts, stale);
  change_followed(part.terms, part.changes, part.condition, stored.followed, followed);
  auto written = table_.update({.key = *key_of_segment(segment_id),
                                .update = part.changes.text(),
                                .condition = std::move(part.condition),
                                .terms = std::move(part.terms),
                                .repeat = Repeat::safe});
  if (!written.is_done) return written;
  std::lock_guard lock(mutex_);
  std::ranges::move(stale_hints(segment_id, stored.followed, followed), std::back_inserter(stale_hints_));
  // Those beyond are dropped by who looks for what is due.
  stale_hints_.resize(std::min(stale_hints_.size(), most_in_batch - 5));
  return written;
}

std::optional<VersionedSegment> DynamoSegmentStore::link(const StoredSegment& stored,
                                                         const SocialMediaUsage& usage,
                                                         const std::string& link_id) {
  auto usages = usages_of(stored);
  usages.push_back(usage);
  Part part;
  std::string key = post_key(usage);
  for (int other = 2; stored.posts.contains(key); ++other)
    key = post_key(usage) + "#" + std::to_string(other);
  const auto path = path_of_post(part.terms, key);
  const StoredPost post{.usage = usage, .position = stored.next_position(), .link_id = link_id};
  part.changes.set(path, part.terms.value(attribute_of_post(post)));
  const auto updated_at = now_text();
  part.changes.set(part.terms.name("updated_at"), part.terms.value(updated_at));
  part.condition += " AND attribute_not_exists(" + path + ")";
  auto written = write_part(stored, std::move(part), follow_posts(stored.followed, usages, now_ms()));
  if (!written.is_done) return std::nullopt;
  append(stored.segment, "segment.updated");
  return with_posts(stored, std::move(usages), updated_at);
}

std::optional<VersionedSegment> DynamoSegmentStore::fill_in(const StoredSegment& stored,
                                                            const std::string& key,
                                                            const SocialMediaUsage& given) {
  auto usages = usages_of(stored);
  auto post = std::ranges::find_if(usages, [&](const auto& usage) {
    return usage.platform == given.platform && usage.post_id == given.post_id;
  });
  Part part;
  const auto path = path_of_post(part.terms, key);
  part.condition += " AND attribute_exists(" + path + ")";
  bool is_new = false;
  auto fill = [&](const char* name, std::optional<std::string>& known,
                  const std::optional<std::string>& told) {
    if (known || !told) return;
    known = told;
    is_new = true;
    const auto member = path + "." + part.terms.name(name);
    part.changes.set(member, part.terms.value(*told));
    part.condition += " AND attribute_not_exists(" + member + ")";
  };
  fill("post_url", post->post_url, given.post_url);
  fill("posted_at", post->posted_at, given.posted_at);
  if (!is_new) return VersionedSegment{stored.segment, stored.version};
  const auto updated_at = now_text();
  part.changes.set(part.terms.name("updated_at"), part.terms.value(updated_at));
  auto written = write_part(stored, std::move(part), follow_posts(stored.followed, usages, now_ms()));
  if (!written.is_done) return std::nullopt;
  append(stored.segment, "segment.updated");
  return with_posts(stored, std::move(usages), updated_at);
}

LinkedPost DynamoSegmentStore::link_checked(std::string_view segment_id, std::string_view user_id,
                                            const SocialMediaUsage& usage, const SegmentCheck& check) {
  const std::string link_id = make_id();
  for (Contention contention;; contention.wait()) {
    auto stored = load_segment(table_, segment_id, user_id);
    if (!stored) return {};
    if (check) check(stored->segment);
    auto key = find_post(*stored, usage.platform, usage.post_id);
    if (key.empty()) {
      if (auto linked = link(*stored, usage, link_id)) return {LinkOutcome::linked, std::move(*linked)};
      continue;
    }
    // Linked by us, in an attempt of which no answer came.
    if (stored->posts.at(key).link_id == link_id) {
      append(stored->segment, "segment.updated");
      return {LinkOutcome::linked, {std::move(stored->segment), stored->version}};
    }
    if (auto filled = fill_in(*stored, key, usage)) return {LinkOutcome::already_linked, std::move(*filled)};
  }
}

LinkOutcome DynamoSegmentStore::link_post(std::string_view segment_id, std::string_view user_id,
                                          const SocialMediaUsage& usage) {
  return link_checked(segment_id, user_id, usage, nullptr).outcome;
}

Later<LinkedPost> DynamoSegmentStore::link_post_later(std::string segment_id, std::string user_id,
                                                      SocialMediaUsage usage, SegmentCheck check) {
  return Later(link_checked(segment_id, user_id, usage, check));
}

// False where somebody else was faster.
bool DynamoSegmentStore::unlink(const StoredSegment& stored, std::span<const std::string> keys) {
  Part part;
  FollowedPosts followed = stored.followed;
  for (const auto& key : keys) {
    const auto path = path_of_post(part.terms, key);
    part.changes.remove(path);
    part.condition += " AND attribute_exists(" + path + ")";
    followed.erase(key);
  }
  part.changes.set(part.terms.name("updated_at"), part.terms.value(now_text()));
  auto written = write_part(stored, std::move(part), followed);
  return written.is_done || written.may_be_ours;
}

std::int64_t DynamoSegmentStore::unlink_posts(std::string_view segment_id, std::string_view user_id,
                                              SocialMediaPlatform platform,
                                              std::optional<std::string_view> post_id) {
  std::int64_t count = 0;
  for (Contention contention;;) {
    auto stored = load_segment(table_, segment_id, user_id);
    if (!stored) return count;
    std::vector<std::string> keys;
    for (const auto& [key, post] : stored->posts)
      if (post.usage.platform == platform && (!post_id || post.usage.post_id == *post_id))
        keys.push_back(key);
    if (keys.empty()) {
      if (count > 0) append(stored->segment, "segment.updated");
      return count;
    }
    keys.resize(std::min(keys.size(), most_unlinked_at_once));
    if (unlink(*stored, keys))
      count += std::ssize(keys);
    else
      contention.wait();
  }
}

bool DynamoSegmentStore::put_reading(const StoredSegment& stored, const std::string& key,
                                     const MetricsReading& reading, std::optional<Item> history) {
  SocialMediaUsage usage = stored.posts.at(key).usage;
  const std::optional<std::string> seen = usage.last_synced;
  apply_reading(usage, reading);
  Part part;
  const auto path = path_of_post(part.terms, key);
  const Item members = item_of(usage);
  for (const char* name :
       {"views", "likes", "shares", "comments", "engagement_rate", "last_synced", "unreported", "source"}) {
    const auto* value = find(members, name);
    part.changes.put(part.terms, path + "." + part.terms.name(name),
                     value ? std::optional(*value) : std::nullopt);
  }
  const auto synced = path + "." + part.terms.name("last_synced");
  part.condition +=
      " AND attribute_exists(" + path + ") AND " +
      // Not another one of the same id, of which the history would not be.
      (stored.made_id.empty()
           ? ""
           : part.terms.name("made_id") + " = " + part.terms.value(stored.made_id) + " AND ") +
      (seen ? synced + " <= " + part.terms.value(reading.read_at) : "attribute_not_exists(" + synced + ")");
  auto found = stored.followed.find(key);
  auto follow = follow_reading(found == stored.followed.end() ? nullptr : &found->second, usage,
                               parse_time(reading.read_at).value_or(now_ms()));
  FollowedPosts followed = stored.followed;
  followed.erase(key);
  if (follow) followed.emplace(key, std::move(*follow));
  return write_part(stored, std::move(part), followed, std::move(history)).is_done;
}

bool DynamoSegmentStore::add_reading(std::string_view segment_id, SocialMediaPlatform platform,
                                     std::string_view post_id, const MetricsReading& reading) {
  auto known = take_known(segment_id);
  if (known && find_post(*known, platform, post_id).empty()) known.reset();
  std::optional<std::string> has_history;  // whose history has it: of the segment that was made so
  for (Contention contention;; contention.wait()) {
    auto stored = known ? std::exchange(known, std::nullopt) : load_segment(table_, segment_id, "");
    auto key = stored ? find_post(*stored, platform, post_id) : "";
    if (key.empty()) return false;
    std::optional<Item> history;
    if (has_history != stored->made_id)
      history = make_history_item(*stored, {platform, std::string(post_id), reading});
    has_history = stored->made_id;
    const auto& synced = stored->posts.at(key).usage.last_synced;
    if (synced && reading.read_at < *synced) {
      if (history) table_.put({.item = std::move(*history)});
      return true;
    }
    if (!put_reading(*stored, key, reading, std::move(history))) continue;
    events_.append_event(make_synced_event(stored->segment, platform, post_id, reading, now_ms()));
    return true;
  }
}

std::vector<HistoryEntry> DynamoSegmentStore::list_history(std::string_view segment_id, std::size_t limit) {
  auto key = key_of_segment(segment_id);
  auto item = key ? table_.get(*key, true) : std::nullopt;
  auto stored = item ? read_segment(*item) : std::nullopt;
  if (!stored) return {};
  return dynamodb::list_history(table_, *stored, limit);
}

std::vector<Segment> DynamoSegmentStore::list_segments_with_posts(
    std::string_view user_id, const std::vector<SocialMediaPlatform>& platforms, std::string_view after,
    std::size_t limit) {
  auto keys = list_keys(table_, user_id, after);
  auto is_wanted = [&](const SocialMediaUsage& usage) {
    return platforms.empty() || std::ranges::find(platforms, usage.platform) != platforms.end();
  };
  std::vector<Segment> found;
  for (std::size_t at = 0; at < keys.size() && found.size() < limit;) {
    const auto some = std::min<std::size_t>(100, keys.size() - at);
    for (auto& segment : read_whole(table_, std::span(keys).subspan(at, some)))
      if (found.size() < limit && std::ranges::any_of(segment.social_media_usage, is_wanted))
        found.push_back(std::move(segment));
    at += some;
  }
  return found;
}

std::vector<DuePost> DynamoSegmentStore::list_due_posts(Millis now, std::size_t limit) {
  return dynamodb::list_due_posts(table_, now, limit);
}

void DynamoSegmentStore::put_off_posts(std::span<const DuePost> posts, Millis now) {
  dynamodb::put_off_posts(table_, posts, now);
}

}  // namespace segments::dynamodb
