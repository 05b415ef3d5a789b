#include "sqlite/followed_posts.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "model/following.h"
#include "sqlite/binding.h"

namespace segments::sqlite {
namespace {

using PostKey = std::pair<SocialMediaPlatform, std::string>;

std::optional<Millis> time_of(const std::optional<std::string>& text) {
  return text ? parse_time(*text) : std::nullopt;
}

// Since when the post is there: what is known of it, else since when it is followed.
std::optional<Millis> find_since(Connection& connection, std::int64_t segment_ref,
                                 const SocialMediaUsage& usage) {
  if (auto posted_at = time_of(usage.posted_at)) return posted_at;
  auto select = connection.prepare(
      "SELECT \"since\" FROM \"followed_posts\" WHERE \"segment_ref\" = ? AND \"platform\" = ? AND "
      "\"post_id\" = ?");
  if (!select.with(segment_ref, usage.platform, *usage.post_id).step()) return std::nullopt;
  return select.integer(0);
}

// A post that was never read is due at once. One that was asked for keeps its turn.
void follow_post(Connection& connection, std::int64_t segment_ref, const SocialMediaUsage& usage,
                 Millis since, Millis now) {
  auto read_at = time_of(usage.last_synced);
  Millis due_at = read_at ? next_reading_at(since, *read_at) : now;
  connection.run(
      "INSERT INTO \"followed_posts\" (\"segment_ref\", \"platform\", \"post_id\", \"since\", \"due_at\", "
      "\"asked\") VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET \"since\" = excluded.\"since\", "
      "\"due_at\" = min(\"due_at\", excluded.\"due_at\") WHERE \"asked\" = 0",
      segment_ref, usage.platform, *usage.post_id, since, due_at);
}

void unfollow_post(Connection& connection, std::int64_t segment_ref, const PostKey& key) {
  connection.run(
      "DELETE FROM \"followed_posts\" WHERE \"segment_ref\" = ? AND \"platform\" = ? AND \"post_id\" = ?",
      segment_ref, key.first, key.second);
}

std::vector<PostKey> list_followed(Connection& connection, std::int64_t segment_ref) {
  std::vector<PostKey> keys;
  auto select = connection.prepare(
      "SELECT \"platform\", \"post_id\" FROM \"followed_posts\" WHERE \"segment_ref\" = ?");
  select.with(segment_ref);
  while (select.step()) {
    auto& [platform, post_id] = keys.emplace_back();
    read_column(select, 0, platform);
    read_column(select, 1, post_id);
  }
  return keys;
}

void add_due_posts(Connection& connection, Millis from, Millis to, std::size_t limit,
                   std::vector<DuePost>& found) {
  auto select = connection.prepare(due_posts_sql);
  select.with(from, to, limit - std::min(limit, found.size()));
  while (select.step()) {
    auto& post = found.emplace_back();
    read_column(select, 0, post.segment_id);
    read_column(select, 1, post.user_id);
    read_column(select, 2, post.platform);
    read_column(select, 3, post.post_id);
    read_column(select, 4, post.due_at);
    read_column(select, 5, post.asked);
  }
}

}  // namespace

void make_followed_posts(Connection& connection) {
  connection.run_script(
      "CREATE TABLE \"followed_posts\" (\"segment_ref\" INTEGER NOT NULL, \"platform\" TEXT NOT NULL, "
      "\"post_id\" TEXT NOT NULL, \"since\" INTEGER NOT NULL, \"due_at\" INTEGER NOT NULL, "
      "\"asked\" INTEGER NOT NULL, PRIMARY KEY (\"segment_ref\", \"platform\", \"post_id\")) WITHOUT ROWID;"
      "CREATE INDEX \"followed_posts_by_due\" ON \"followed_posts\" (\"due_at\");");
  const Millis now = now_ms();
  auto select = connection.prepare(
      "SELECT \"segment_ref\", \"created_at\", \"social_media_usage\" FROM \"segments\" WHERE \"platforms\" "
      "<> 0");
  while (select.step()) {
    std::vector<SocialMediaUsage> posts;
    read_column(select, 2, posts);
    for (const auto& usage : posts) {
      if (!is_followed(usage)) continue;
      // No post is older than what was posted.
      auto since = time_of(usage.posted_at);
      if (!since) since = parse_time(select.text(1));
      follow_post(connection, select.integer(0), usage, since.value_or(now), now);
    }
  }
}

void follow_posts(Connection& connection, const SegmentRow& row) {
  const Millis now = now_ms();
  auto stale = list_followed(connection, row.segment_ref);
  for (const auto& usage : row.segment.social_media_usage) {
    if (!is_followed(usage)) continue;
    std::erase(stale, PostKey{usage.platform, *usage.post_id});
    auto since = find_since(connection, row.segment_ref, usage);
    follow_post(connection, row.segment_ref, usage, since.value_or(now), now);
  }
  for (const auto& key : stale) unfollow_post(connection, row.segment_ref, key);
}

void follow_linked(Connection& connection, const SegmentRow& row, const SocialMediaUsage& usage,
                   bool is_new) {
  if (!is_followed(usage)) return;
  const Millis now = now_ms();
  auto since = is_new ? time_of(usage.posted_at) : find_since(connection, row.segment_ref, usage);
  follow_post(connection, row.segment_ref, usage, since.value_or(now), now);
}

void follow_reading(Connection& connection, const SegmentRow& row, const SocialMediaUsage& usage,
                    Millis read_at) {
  if (!is_followed(usage)) {
    if (usage.post_id) unfollow_post(connection, row.segment_ref, {usage.platform, *usage.post_id});
    return;
  }
  Millis since = find_since(connection, row.segment_ref, usage).value_or(read_at);
  connection.run(
      "INSERT INTO \"followed_posts\" (\"segment_ref\", \"platform\", \"post_id\", \"since\", \"due_at\", "
      "\"asked\") VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET \"since\" = excluded.\"since\", "
      "\"due_at\" = excluded.\"due_at\", \"asked\" = 0",
      row.segment_ref, usage.platform, *usage.post_id, since, next_reading_at(since, read_at));
}

void unfollow_segment(Connection& connection, std::int64_t segment_ref) {
  connection.run("DELETE FROM \"followed_posts\" WHERE \"segment_ref\" = ?", segment_ref);
}

std::vector<DuePost> list_due_posts(Connection& connection, Millis now, std::size_t limit) {
  std::vector<DuePost> found;
  add_due_posts(connection, std::numeric_limits<Millis>::min(), now, limit, found);
  // Nothing is put off so far: it was by a clock that was ahead.
  constexpr Millis slack_ms = 24 * 3'600 * 1'000;
  add_due_posts(connection, now + longest_pause_ms + slack_ms, std::numeric_limits<Millis>::max(), limit,
                found);
  return found;
}

void put_off_post(Connection& connection, const DuePost& post, Millis until) {
  connection.run(
      "UPDATE \"followed_posts\" SET \"due_at\" = ?, \"asked\" = min(\"asked\" + 1, 1000) WHERE "
      "\"segment_ref\" "
      "= (SELECT \"segment_ref\" FROM \"segments\" WHERE \"segment_id\" = ?) AND \"platform\" = ? AND "
      "\"post_id\" = ? AND \"due_at\" = ?",
      until, post.segment_id, post.platform, post.post_id, post.due_at);
}

}  // namespace segments::sqlite
