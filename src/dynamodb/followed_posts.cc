#include "dynamodb/followed_posts.h"

#include <algorithm>
#include <limits>

#include "base/ids.h"
#include "base/text.h"
#include "dynamodb/segment_item.h"
#include "model/following.h"

namespace segments::dynamodb {
namespace {

// Hints are spread over partitions, so that they bound no burst of links and readings; by segment, so that
// the hints of one are written together. There were eight: a hint of that time is found, since all are looked
// at, and goes as one that its segment no longer names.
constexpr int shards = 32;
// Longer than a write with all its retries takes, and clocks differ.
constexpr Millis grace_ms = 300'000;
// Nothing is put off so far: it was by a clock that was ahead.
constexpr Millis farthest_ms = longest_pause_ms + 24 * 3'600 * 1'000;
constexpr std::size_t largest_page = 1'000;

std::optional<Millis> time_of(const std::optional<std::string>& text) {
  return text ? parse_time(*text) : std::nullopt;
}

Millis since_of(const FollowedPost* before, const SocialMediaUsage& usage, Millis otherwise) {
  if (auto posted_at = time_of(usage.posted_at)) return *posted_at;
  return before ? before->since : otherwise;
}

std::string partition_of(int shard) {
  return "#due#" + std::to_string(shard);
}

int shard_of(std::string_view segment_id) {
  std::uint32_t hash = 2'166'136'261u;  // FNV-1a: the same in every program, always
  for (unsigned char c : segment_id) hash = (hash ^ c) * 16'777'619u;
  return static_cast<int>(hash % shards);
}

// Of fixed width, so that it sorts as a number does.
std::string sortable(Millis at) {
  auto digits = std::to_string(std::max<Millis>(at, 0));
  return std::string(20 - digits.size(), '0') + digits;
}

Key hint_key(std::string_view segment_id, const std::string& post, const FollowedPost& followed) {
  return {partition_of(shard_of(segment_id)),
          sortable(followed.due_at) + "#" + std::string(segment_id) + "#" + post + "#" + followed.hint};
}

struct Hint {
  Key key;
  Millis due_at = 0;
  std::string segment_id, post, token;
};

// due_at # segment_id # platform # post_id # token
std::optional<Hint> hint_of(const Item& item) {
  Hint hint{.key = key_of(item), .due_at = 0, .segment_id = {}, .post = {}, .token = {}};
  auto parts = split(hint.key.segment_id, '#');
  auto due_at = parts.size() == 5 ? parse_integer(parts[0]) : std::nullopt;
  if (!due_at) return std::nullopt;
  hint.due_at = *due_at;
  hint.segment_id = parts[1];
  hint.post = std::string(parts[2]) + "#" + std::string(parts[3]);
  hint.token = parts[4];
  return hint;
}

std::optional<DuePost> due_post_of(const Hint& hint, const Item& segment) {
  auto posts = followed_posts_of(segment);
  auto at = posts.find(hint.post);
  if (at == posts.end() || at->second.hint != hint.token) return std::nullopt;
  auto separator = hint.post.find('#');
  auto platform = enum_from<SocialMediaPlatform>(std::string_view(hint.post).substr(0, separator));
  if (!platform) return std::nullopt;
  return DuePost{.segment_id = hint.segment_id,
                 .user_id = text_of(segment, "user_id"),
                 .platform = *platform,
                 .post_id = hint.post.substr(separator + 1),
                 .due_at = at->second.due_at,
                 .asked = at->second.asked};
}

std::map<Key, Item> find_segments(Table& table, const std::vector<std::string>& segment_ids) {
  std::vector<Key> keys;
  for (const auto& segment_id : segment_ids) keys.push_back(key_to_look_under(segment_id));
  return find_items(table, std::move(keys));
}

// Those of the hints that their segments confirm. Of the others the old ones are dropped.
std::vector<DuePost> confirm(Table& table, const std::vector<Item>& items) {
  std::vector<Hint> hints;
  std::vector<std::string> segment_ids;
  std::vector<Key> stale;
  for (const auto& item : items) {
    if (auto hint = hint_of(item)) {
      segment_ids.push_back(hint->segment_id);
      hints.push_back(std::move(*hint));
    } else {
      stale.push_back(key_of(item));
    }
  }
  const auto segments = find_segments(table, segment_ids);
  // Asked after the hints were read: a token that is older now was so then.
  const std::string young = make_id(std::max<Millis>(now_ms() - grace_ms, 0));
  std::vector<DuePost> found;
  for (const auto& hint : hints) {
    auto segment = segments.find(key_to_look_under(hint.segment_id));
    auto post = segment == segments.end() ? std::nullopt : due_post_of(hint, segment->second);
    if (post)
      found.push_back(std::move(*post));
    else if (hint.token < young)
      stale.push_back(hint.key);
  }
  table.batch_write({}, stale);
  return found;
}

// The hints of one partition between two times, in their order, until `limit` are found that are right.
void add_due_posts(Table& table, int shard, Millis from, Millis to, std::size_t limit,
                   std::vector<DuePost>& found) {
  if (from > to) return;
  Query query{.condition = {}};
  auto& terms = query.terms;
  query.condition = terms.name("video_id") + " = " + terms.value(partition_of(shard)) + " AND " +
                    terms.name("segment_id") + " BETWEEN " + terms.value(sortable(from)) + " AND " +
                    terms.value(sortable(to) + "~");  // behind whatever follows the time
  query.is_strong = true;
  query.limit = static_cast<int>(std::min(limit, largest_page));
  for (std::size_t count = 0; count < limit;) {
    auto page = table.query(query);
    auto confirmed = confirm(table, page.items);
    count += confirmed.size();
    std::ranges::move(confirmed, std::back_inserter(found));
    if (page.last.empty()) return;
    query.from = std::move(page.last);
  }
}

void take_first(std::vector<DuePost>& posts, std::size_t limit) {
  std::ranges::stable_sort(posts, {}, &DuePost::due_at);
  if (posts.size() > limit) posts.resize(limit);
}

// A post that is to be put off, as its segment has it and is to have it.
struct PutOff {
  std::string segment_id, name;
  FollowedPost before, after;
};

std::vector<PutOff> plan(Table& table, std::span<const DuePost> posts, Millis now) {
  std::vector<std::string> segment_ids;
  for (const auto& post : posts) segment_ids.push_back(post.segment_id);
  const auto segments = find_segments(table, segment_ids);
  std::vector<PutOff> plan;
  for (const auto& post : posts) {
    auto segment = segments.find(key_to_look_under(post.segment_id));
    if (segment == segments.end()) continue;
    const auto followed = followed_posts_of(segment->second);
    auto at = followed.find(post_key(post.platform, post.post_id));
    // Read or put off since it was listed.
    if (at == followed.end() || at->second.due_at != post.due_at) continue;
    FollowedPost after = at->second;
    after.asked = std::min(after.asked + 1, 1'000);
    after.due_at = next_attempt_at(post.asked + 1, now);
    after.hint = make_id();
    plan.push_back({post.segment_id, at->first, at->second, std::move(after)});
  }
  return plan;
}

bool carry_out(Table& table, const PutOff& one) {
  Terms terms;
  const auto path = terms.path("followed", one.name);
  auto update = "SET " + path + " = " + terms.value(*attribute_of(one.after));
  auto condition = path + "." + terms.name("hint") + " = " + terms.value(one.before.hint);
  return table
      .update({.key = key_to_look_under(one.segment_id),
               .update = std::move(update),
               .condition = std::move(condition),
               .terms = std::move(terms),
               .repeat = Repeat::safe})
      .is_done;
}

}  // namespace

std::string post_key(SocialMediaPlatform platform, std::string_view post_id) {
  return std::string(name_of(platform)) + "#" + std::string(post_id);
}

FollowedPosts followed_posts_of(const Item& segment) {
  FollowedPosts posts;
  const auto* attribute = find(segment, "followed");
  const auto* map = attribute ? std::get_if<Item>(&attribute->value) : nullptr;
  if (!map) return posts;
  for (const auto& [name, post] : *map) read_attribute(posts[name], post);
  return posts;
}

Attribute attribute_of_followed(const FollowedPosts& posts) {
  Item map;
  for (const auto& [name, post] : posts) map.emplace(name, *attribute_of(post));
  return Attribute{std::move(map)};
}

FollowedPosts follow_posts(const FollowedPosts& before, const std::vector<SocialMediaUsage>& posts,
                           Millis now) {
  FollowedPosts after;
  for (const auto& usage : posts) {
    if (!is_followed(usage)) continue;
    const auto name = post_key(usage.platform, *usage.post_id);
    auto at = before.find(name);
    const FollowedPost* old = at == before.end() ? nullptr : &at->second;
    // One that was asked for keeps its turn.
    if (old && old->asked > 0) {
      after[name] = *old;
      continue;
    }
    FollowedPost post{.since = since_of(old, usage, now), .due_at = now, .asked = 0, .hint = {}};
    if (auto read_at = time_of(usage.last_synced)) post.due_at = next_reading_at(post.since, *read_at);
    if (old) post.due_at = std::min(post.due_at, old->due_at);
    post.hint = old && old->due_at == post.due_at ? old->hint : make_id();
    after[name] = std::move(post);
  }
  return after;
}

std::optional<FollowedPost> follow_reading(const FollowedPost* before, const SocialMediaUsage& usage,
                                           Millis read_at) {
  if (!is_followed(usage)) return std::nullopt;
  FollowedPost post{.since = since_of(before, usage, read_at), .due_at = 0, .asked = 0, .hint = make_id()};
  post.due_at = next_reading_at(post.since, read_at);
  return post;
}

std::vector<Item> new_hints(std::string_view segment_id, const FollowedPosts& before,
                            const FollowedPosts& after) {
  std::vector<Item> hints;
  for (const auto& [name, post] : after) {
    auto at = before.find(name);
    if (at == before.end() || at->second.hint != post.hint)
      hints.push_back(item_of(hint_key(segment_id, name, post)));
  }
  return hints;
}

void put_hints(Table& table, std::string_view segment_id, const FollowedPosts& before,
               const FollowedPosts& after) {
  table.batch_write(new_hints(segment_id, before, after), {});
}

std::vector<Key> stale_hints(std::string_view segment_id, const FollowedPosts& before,
                             const FollowedPosts& after) {
  std::vector<Key> hints;
  for (const auto& [name, post] : before) {
    auto at = after.find(name);
    if (at == after.end() || at->second.hint != post.hint) hints.push_back(hint_key(segment_id, name, post));
  }
  return hints;
}

void drop_hints(Table& table, std::string_view segment_id, const FollowedPosts& before,
                const FollowedPosts& after) {
  table.batch_write({}, stale_hints(segment_id, before, after));
}

std::vector<DuePost> list_due_posts(Table& table, Millis now, std::size_t limit) {
  std::vector<DuePost> due, ahead;
  if (limit == 0) return due;
  for (int shard = 0; shard < shards; ++shard) add_due_posts(table, shard, 0, now, limit, due);
  take_first(due, limit);
  if (due.size() == limit) return due;
  const Millis from = now + farthest_ms;
  for (int shard = 0; shard < shards; ++shard)
    add_due_posts(table, shard, from, std::numeric_limits<Millis>::max(), limit - due.size(), ahead);
  take_first(ahead, limit - due.size());
  std::ranges::move(ahead, std::back_inserter(due));
  return due;
}

void put_off_posts(Table& table, std::span<const DuePost> posts, Millis now) {
  const auto all = plan(table, posts, now);
  std::vector<Item> hints;
  for (const auto& one : all) hints.push_back(item_of(hint_key(one.segment_id, one.name, one.after)));
  table.batch_write(hints, {});
  std::vector<Key> stale;
  for (const auto& one : all)
    if (carry_out(table, one)) stale.push_back(hint_key(one.segment_id, one.name, one.before));
  table.batch_write({}, stale);
}

}  // namespace segments::dynamodb
